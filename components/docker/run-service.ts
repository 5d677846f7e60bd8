import { createHash } from "node:crypto";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { runOrigin } from "../common/run-origin.ts";
import type { SwarmClusterArgs, SwarmPlan, SwarmPlanArgs } from "./args.ts";
import { type FilePlace, type SwarmServiceFile, secretFile, swarmFiles } from "./files.ts";
import { runArchive } from "./run.ts";
import { type ServicePlace, type SwarmService, swarmService } from "./service.ts";
import { lakeMounts, readMounts, regionEnv, sparkEnv } from "./services/spark.ts";

/** What of a cluster's arguments a run hangs on. */
type RunArgs = Pick<SwarmPlanArgs, "job" | "lake" | "region" | "secrets" | "credentials">;

export interface RunNeeds {
  readonly image: pulumi.Input<string>;
  readonly rpc: SwarmServiceFile;
  /** Secrets of the cluster's own that the job's steps may name. */
  readonly secrets: Readonly<Record<string, pulumi.Input<string>>>;
  /** Resource that is there once all services run. */
  readonly running: pulumi.Resource;
}

/**
 * The job, as a service that ends. Each run is a service of its own that stays as it was made, like the two files it is
 * given: a change of the job is for the next run. There are always two, or a change could take away one in use.
 */
export function runService(
  place: ServicePlace,
  files: FilePlace,
  args: RunArgs,
  plan: SwarmPlan,
  needs: RunNeeds,
): docker.Service {
  const { runId, user } = plan;
  const ours = swarmFiles({ ...files, run: runId });
  const own = { ...place, file: (file: SwarmServiceFile) => (file.name === "run" ? ours(file) : place.file(file)) };
  const archive = pulumi
    .all([lakeAddress(args), runOrigin(args.job)])
    .apply(([lake, origin]) => runArchive(args.job, plan, lake, origin));
  const service: SwarmService = {
    name: "run",
    image: needs.image,
    user,
    command: ["run"],
    once: true,
    memoryMebibytes: plan.driverMebibytes,
    env: { ...sparkEnv(plan), ...regionEnv(args.region) },
    files: [
      needs.rpc,
      secretFile("run", runSecrets(args, plan, needs.secrets)),
      { name: "run", path: "/etc/oneoff/run.zip", content: archive, isBase64: true },
    ],
    mounts: [...readMounts(plan), ...lakeMounts(plan)],
  };
  const swarmName = `run-${/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,14}[a-zA-Z0-9])?$/.test(runId) ? runId : digest(runId)}`;
  const options = { dependsOn: [needs.running], ignoreChanges: ["taskSpec", "labels"] };
  return swarmService(own, service, options, swarmName);
}

/** The secrets that the job's steps name, and the lake's, by name, as JSON; run.py makes files of them. */
function runSecrets(
  { secrets, credentials }: RunArgs,
  { jobSecrets }: SwarmPlan,
  own: RunNeeds["secrets"],
): pulumi.Output<string> {
  const given = { ...own, ...secrets };
  const wanted = jobSecrets.map((name) => [name, given[name] as pulumi.Input<string>] as const);
  const all = { ...Object.fromEntries(wanted), ...(credentials !== undefined && { "lake-credentials": credentials }) };
  return pulumi.secret(pulumi.jsonStringify(all));
}

export const lakeAddress = ({ lake }: Pick<SwarmClusterArgs, "lake">): pulumi.Input<string> =>
  "path" in lake ? lake.path : lake.uri;

/** The beginning of one. */
export const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);
