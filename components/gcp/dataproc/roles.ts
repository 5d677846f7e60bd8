import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { DataprocMode } from "../../../assets/dataproc-orchestrator/launch.ts";
import { runQueries, useDataset, writeObjects } from "../grants.ts";
import type { GcsLake } from "../lake.ts";
import { ownedBy, serviceAccountId } from "../project.ts";
import type { DataprocKerberos, DataprocPlan } from "./args.ts";

/** Who the machines and the orchestrator are. */
export interface DataprocRoles {
  readonly nodes: gcp.serviceaccount.Account;
  readonly orchestrator: gcp.serviceaccount.Account;
  /** What must be there before they do anything. */
  readonly parts: readonly pulumi.Resource[];
}

interface RoleParts {
  readonly lake: GcsLake;
  readonly reads: readonly string[];
  readonly hex: pulumi.Output<string>;
  readonly kerberos?: DataprocKerberos | undefined;
}

/** Accounts of their own: the project's default one may do nearly everything. */
export function dataprocRoles(
  name: string,
  { project, mode }: DataprocPlan,
  { lake, reads, hex, kerberos }: RoleParts,
  parent: pulumi.Resource,
): DataprocRoles {
  const account = (use: string, about: string) =>
    new gcp.serviceaccount.Account(
      `${name}-${use}`,
      {
        project,
        accountId: serviceAccountId(`${name}-${use}`, hex),
        displayName: ownedBy(`${name} ${use}`),
        description: about,
      },
      { parent },
    );
  const nodes = account("nodes", "Machines of a throwaway Dataproc cluster");
  const orchestrator = account("orchestrator", "Follows runs on Dataproc");
  const inProject = (use: string, role: string, who: gcp.serviceaccount.Account) =>
    new gcp.projects.IAMMember(`${name}-${use}`, { project, role, member: who.member }, { parent });
  const granted = { project, bucket: lake.bucket, datasetId: lake.dataset };
  const parts = [
    // What Dataproc's agent on a machine needs; storage of the project is in it.
    inProject("nodes-worker", "roles/dataproc.worker", nodes),
    ...reads.map(
      (bucket, i) =>
        new gcp.storage.BucketIAMMember(
          `${name}-nodes-reads-${i + 1}`,
          { bucket, role: "roles/storage.objectViewer", member: nodes.member },
          { parent },
        ),
    ),
    ...(kerberos ? decrypting(name, kerberos, nodes, parent) : []),
    // The notebook on the cluster reads and writes tables.
    ...(mode === DataprocMode.cluster
      ? [
          runQueries(`${name}-nodes-jobs`, granted, nodes.member, parent),
          useDataset(`${name}-nodes-rows`, granted, nodes.member, "roles/bigquery.dataEditor", parent),
        ]
      : []),
    // It submits jobs and batches, and instantiates the template: for that Dataproc has no narrower role.
    inProject("orchestrator-dataproc", "roles/dataproc.editor", orchestrator),
    new gcp.serviceaccount.IAMMember(
      `${name}-orchestrator-acts`,
      { serviceAccountId: nodes.name, role: "roles/iam.serviceAccountUser", member: orchestrator.member },
      { parent },
    ),
    ...writeObjects(`${name}-orchestrator-lake`, granted, orchestrator.member, [], parent),
    runQueries(`${name}-orchestrator-jobs`, granted, orchestrator.member, parent),
    useDataset(`${name}-orchestrator-rows`, granted, orchestrator.member, "roles/bigquery.dataEditor", parent),
  ];
  return { nodes, orchestrator, parts: [nodes, orchestrator, ...parts] };
}

/** The machines set up Kerberos themselves, by a password that they fetch and decrypt. */
const decrypting = (
  name: string,
  { kmsKey, rootPassword }: DataprocKerberos,
  nodes: gcp.serviceaccount.Account,
  parent: pulumi.Resource,
): readonly pulumi.Resource[] => [
  new gcp.kms.CryptoKeyIAMMember(
    `${name}-nodes-decrypt`,
    { cryptoKeyId: kmsKey, role: "roles/cloudkms.cryptoKeyDecrypter", member: nodes.member },
    { parent },
  ),
  new gcp.storage.BucketIAMMember(
    `${name}-nodes-password`,
    {
      bucket: pulumi.output(rootPassword).apply((address) => address.replace(/^gs:\/\/([^/]+).*$/, "$1")),
      role: "roles/storage.objectViewer",
      member: nodes.member,
    },
    { parent },
  ),
];
