import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { Prefix } from "../../../core/lake-layout.ts";
import { objectsBelow, readObjects } from "../grants.ts";
import type { GcsLake } from "../lake.ts";
import { ownedBy } from "../project.ts";

/**
 * What ends a run, in all of the project: Dataproc knows no narrower place than that, since jobs, batches and workflows are there
 * for a while only. Nothing of it begins anything.
 */
const PERMISSIONS = [
  "dataproc.batches.cancel",
  "dataproc.batches.get",
  "dataproc.clusters.delete",
  "dataproc.clusters.get",
  "dataproc.jobs.cancel",
  "dataproc.jobs.get",
  "dataproc.operations.cancel",
  "dataproc.operations.get",
  "dataproc.operations.list",
  "run.executions.cancel",
  "run.executions.get",
  "run.executions.list",
] as const;

interface Cancelling {
  readonly project: string;
  readonly members: readonly string[];
  readonly lake: GcsLake;
  readonly hex: pulumi.Input<string>;
}

/** Lets members cancel runs of the stack, and do nothing else with it. No role is made where there are none. */
export function letCancel(name: string, { project, members, lake, hex }: Cancelling, parent: pulumi.Resource): void {
  if (members.length === 0) return;
  const role = new gcp.projects.IAMCustomRole(
    `${name}-cancel-role`,
    {
      project,
      // Of letters, digits, dots and underscores; one that was deleted keeps its id for weeks.
      roleId: pulumi.interpolate`oneoff_cancel_${hex}`,
      title: ownedBy(`cancels runs of ${name}`),
      description: "Ends what runs on Dataproc, and begins nothing",
      permissions: [...PERMISSIONS],
    },
    { parent },
  );
  const granted = { project, bucket: lake.bucket, datasetId: lake.dataset };
  for (const [i, member] of members.entries()) {
    const own = `${name}-canceller-${i + 1}`;
    new gcp.projects.IAMMember(`${own}-runs`, { project, role: role.name, member }, { parent });
    const read = [Prefix.cancels, Prefix.runs, Prefix.launches, Prefix.clusters, Prefix.logs];
    readObjects(`${own}-reads`, granted, member, read, parent);
    // A request is made once; a record is put in the place of another.
    objectsBelow(`${own}-asks`, granted, member, "roles/storage.objectCreator", [Prefix.cancels], parent);
    objectsBelow(`${own}-records`, granted, member, "roles/storage.objectUser", [Prefix.runs], parent);
  }
}
