import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { checkMember } from "../core/google.ts";

/** What grants are made on. */
export interface Granted {
  readonly project: string;
  readonly bucket: pulumi.Input<string>;
  readonly datasetId: pulumi.Input<string>;
}

/** Whoever is let in: an IAM member, "user:jane@example.com" or "serviceAccount:...". One that is an output is not checked. */
export type Member = pulumi.Input<string>;

const checked = (member: Member): Member => (typeof member === "string" ? checkMember("member", member) : member);

/** Reading objects below prefixes. A condition never keeps names secret: whoever may list a bucket sees all of them. */
export const readObjects = (
  name: string,
  { bucket }: Granted,
  member: Member,
  prefixes: readonly string[],
  parent: pulumi.Resource,
) => objects(name, bucket, member, "roles/storage.objectViewer", prefixes, parent);

/** Writing objects below prefixes, and reading them. */
export const writeObjects = (
  name: string,
  { bucket }: Granted,
  member: Member,
  prefixes: readonly string[],
  parent: pulumi.Resource,
) => objects(name, bucket, member, "roles/storage.objectUser", prefixes, parent);

function objects(
  name: string,
  bucket: pulumi.Input<string>,
  member: Member,
  role: string,
  prefixes: readonly string[],
  parent: pulumi.Resource,
): gcp.storage.BucketIAMMember {
  const condition = prefixes.length > 0 && {
    condition: {
      title: "below prefixes",
      expression: pulumi
        .output(bucket)
        .apply((bucket) =>
          [
            'resource.type != "storage.googleapis.com/Object"',
            ...prefixes.map((prefix) => `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${prefix}/")`),
          ].join(" || "),
        ),
    },
  };
  return new gcp.storage.BucketIAMMember(name, { bucket, role, member: checked(member), ...condition }, { parent });
}

/** Reading the rows of all tables of the dataset, or writing them too. */
export const useDataset = (
  name: string,
  { project, datasetId }: Granted,
  member: Member,
  role: "roles/bigquery.dataViewer" | "roles/bigquery.dataEditor",
  parent: pulumi.Resource,
): gcp.bigquery.DatasetIamMember =>
  new gcp.bigquery.DatasetIamMember(name, { project, datasetId, role, member: checked(member) }, { parent });

/** Running queries, which the project is billed for. */
export const runQueries = (
  name: string,
  { project }: Pick<Granted, "project">,
  member: Member,
  parent: pulumi.Resource,
): gcp.projects.IAMMember =>
  new gcp.projects.IAMMember(name, { project, role: "roles/bigquery.jobUser", member: checked(member) }, { parent });
