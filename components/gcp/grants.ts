import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { checkMember, ownedBy } from "./project.ts";

/** What grants are made on. */
export interface Granted {
  readonly project: string;
  readonly bucket: pulumi.Input<string>;
  readonly datasetId: pulumi.Input<string>;
}

/** Whoever is let in: an IAM member, "user:jane@example.com" or "serviceAccount:...". One that is an output is not checked. */
export type Member = pulumi.Input<string>;

const validMember = (member: Member): Member => (typeof member === "string" ? checkMember("member", member) : member);

/**
 * Reading objects below prefixes; all where none is given. A condition never keeps names secret: whoever may list a bucket
 * sees all of them.
 */
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

/** A role on objects below prefixes, for who may look at the bucket by another grant. */
export const objectsBelow = (
  name: string,
  { bucket }: Granted,
  member: Member,
  role: string,
  prefixes: readonly string[],
  parent: pulumi.Resource,
): gcp.storage.BucketIAMMember =>
  new gcp.storage.BucketIAMMember(
    name,
    { bucket, role, member: validMember(member), condition: below(bucket, prefixes) },
    { parent },
  );

/** A condition has 12 operators at most (https://cloud.google.com/iam/docs/conditions-overview#limits). */
const PREFIXES_AT_ONCE = 10;

function objects(
  name: string,
  bucket: pulumi.Input<string>,
  member: Member,
  role: string,
  prefixes: readonly string[],
  parent: pulumi.Resource,
): readonly gcp.storage.BucketIAMMember[] {
  const grant = (suffix: string, given: string, condition?: gcp.storage.BucketIAMMemberArgs["condition"]) =>
    new gcp.storage.BucketIAMMember(
      `${name}${suffix}`,
      { bucket, role: given, member: validMember(member), ...(condition && { condition }) },
      { parent },
    );
  // BigQuery asks for the bucket itself before it reads what is in it, as whoever it reads for.
  const itself = grant("-bucket", "roles/storage.legacyBucketReader");
  if (prefixes.length === 0) return [itself, grant("", role)];
  const parts = Array.from({ length: Math.ceil(prefixes.length / PREFIXES_AT_ONCE) }, (_, i) =>
    prefixes.slice(i * PREFIXES_AT_ONCE, (i + 1) * PREFIXES_AT_ONCE),
  );
  return [itself, ...parts.map((part, i) => grant(i === 0 ? "" : `-${i + 1}`, role, below(bucket, part)))];
}

const below = (bucket: pulumi.Input<string>, prefixes: readonly string[]) => ({
  title: "below prefixes",
  expression: pulumi
    .output(bucket)
    .apply((bucket) =>
      prefixes
        .map((prefix) => `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${prefix}/")`)
        .join(" || "),
    ),
});

/** Reading the rows of all tables of the dataset, or writing them too. */
export const useDataset = (
  name: string,
  { project, datasetId }: Granted,
  member: Member,
  role: "roles/bigquery.dataViewer" | "roles/bigquery.dataEditor",
  parent: pulumi.Resource,
): gcp.bigquery.DatasetIamMember =>
  new gcp.bigquery.DatasetIamMember(name, { project, datasetId, role, member: validMember(member) }, { parent });

/**
 * Running queries, which the project is billed for. The condition always holds: it makes the binding one of its own, so that
 * taking it away takes nothing from a person who has the role otherwise.
 */
export const runQueries = (
  name: string,
  { project }: Pick<Granted, "project">,
  member: Member,
  parent: pulumi.Resource,
): gcp.projects.IAMMember =>
  new gcp.projects.IAMMember(
    name,
    {
      project,
      role: "roles/bigquery.jobUser",
      member: validMember(member),
      condition: { title: ownedBy(name).slice(0, 100), expression: 'request.time > timestamp("2026-01-01T00:00:00Z")' },
    },
    { parent },
  );
