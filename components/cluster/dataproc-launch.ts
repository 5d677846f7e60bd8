import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { DataprocMode, type Launch } from "../../assets/orchestrator/launch.ts";
import { bundle } from "../core/bundle.ts";
import { stackLabels } from "../core/naming.ts";
import { adjust } from "../core/transform.ts";
import type { GcsLake } from "../lake/gcs.ts";
import { Prefix } from "../lake/prefixes.ts";
import { uploads } from "./code.ts";
import type { DataprocClusterArgs, DataprocPlan } from "./dataproc-args.ts";
import type { DataprocRoles } from "./dataproc-roles.ts";
import { batch, packagesKey, pysparkJob, type StepPlace } from "./dataproc-steps.ts";

/** Node.js on next to nothing, from Google's own registry (https://github.com/GoogleContainerTools/distroless). */
const IMAGE = "gcr.io/distroless/nodejs24-debian12";

/** A task of Cloud Run ends by itself after so long at the most (https://cloud.google.com/run/docs/configuring/task-timeout). */
const LONGEST_TASK = 7 * 86_400;

/** Where the lake is in the orchestrator's file system. */
const MOUNT = "/lake";

/**
 * Puts the code into the lake, where it stays for machines that a running cluster gets later, also when there is newer; it
 * goes with the bucket.
 */
export const uploadDataprocCode = (
  name: string,
  { code }: DataprocPlan,
  lake: GcsLake,
  parent: pulumi.Resource,
): readonly pulumi.Resource[] =>
  uploads(code).map(
    ({ key, path, logical }) =>
      new gcp.storage.BucketObject(
        `${name}-${logical}`,
        { bucket: lake.bucket, name: key, source: new pulumi.asset.FileAsset(path) },
        { parent, retainOnDelete: true },
      ),
  );

/** What is known once there is a place to run in. */
export interface LaunchPlace extends StepPlace {
  readonly dataset: string;
  /** Mode "cluster". */
  readonly cluster?: string | undefined;
  /** Mode "workflow": id of the template. */
  readonly template?: string | undefined;
}

/** What the orchestrator is told, as an object. */
export function launchOf(plan: DataprocPlan, place: LaunchPlace, packageIndex = "https://pypi.org/simple"): Launch {
  const { job, mode, code } = plan;
  const isBatch = mode === DataprocMode.batch;
  return {
    mode,
    project: plan.project,
    region: plan.region,
    bucket: place.bucket,
    dataset: place.dataset,
    run: plan.run,
    job: job.name,
    labels: place.labels,
    deadlineSeconds: plan.deadlineSeconds,
    steps: job.steps.map((step) => ({
      name: step.name,
      timeLimitSeconds: step.timeLimitSeconds,
      ...(mode === DataprocMode.cluster && { request: { pysparkJob: pysparkJob(plan, place, step) } }),
      ...(isBatch && { request: batch(plan, place, step) }),
    })),
    tables: job.tables.map(({ name, columns, partitions = [] }) => ({
      name,
      partitions: partitions.map((partition) => ({
        name: partition,
        type: columns.find((column) => column.name === partition)?.type ?? "string",
      })),
    })),
    wheels: Object.entries(code.wheels).map(([venv, prefix]) => ({
      prefix,
      ...(isBatch && { archive: packagesKey(plan, venv) }),
    })),
    packageIndex,
    ...(place.cluster && { cluster: place.cluster }),
    ...(place.template && { template: place.template }),
  };
}

/**
 * The orchestrator, as a Cloud Run job that is started by a token of the run: the same token starts nothing again. It
 * cannot be reached from anywhere, and ends by itself.
 */
export function orchestrator(
  name: string,
  plan: DataprocPlan,
  args: DataprocClusterArgs,
  what: {
    readonly launch: pulumi.Output<Launch>;
    readonly hex: pulumi.Output<string>;
    readonly roles: DataprocRoles;
    readonly dependsOn: readonly pulumi.Resource[];
  },
  parent: pulumi.Resource,
): gcp.cloudrunv2.Job {
  const { lake } = args;
  const path = join(bundle("orchestrator"), "index.mjs");
  const program = createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);
  const text = what.launch.apply((launch) => JSON.stringify(launch));
  const file = (use: string, key: string, content: Partial<gcp.storage.BucketObjectArgs>) =>
    new gcp.storage.BucketObject(`${name}-${use}`, { bucket: lake.bucket, name: key, ...content }, { parent });
  const files = [
    file("orchestrator.mjs", `${Prefix.code}/${program}/orchestrator.mjs`, {
      source: new pulumi.asset.FileAsset(path),
    }),
    file("launch", `${Prefix.clusters}/${plan.run}/launch.json`, { content: text, contentType: "application/json" }),
  ];
  const jobArgs: gcp.cloudrunv2.JobArgs = {
    project: plan.project,
    location: plan.region,
    name: pulumi.interpolate`oneoff-${what.hex}`,
    deletionProtection: false,
    labels: stackLabels(),
    // Another launch of the same run starts it too: it finds the run begun, and says so.
    startExecutionToken: text.apply((text) => executionToken(plan.run, `${text}${program}`)),
    template: {
      labels: stackLabels(),
      taskCount: 1,
      template: {
        serviceAccount: what.roles.orchestrator.email,
        timeout: `${Math.min(plan.deadlineSeconds + 900, LONGEST_TASK)}s`,
        maxRetries: 3, // Google may restart a task: it goes on where it was
        executionEnvironment: "EXECUTION_ENVIRONMENT_GEN2",
        volumes: [{ name: "lake", gcs: { bucket: lake.bucket, readOnly: true } }],
        containers: [
          {
            image: args.image ?? IMAGE,
            args: [
              `${MOUNT}/${Prefix.code}/${program}/orchestrator.mjs`,
              `${MOUNT}/${Prefix.clusters}/${plan.run}/launch.json`,
            ],
            resources: { limits: { cpu: "1", memory: "512Mi" } },
            volumeMounts: [{ name: "lake", mountPath: MOUNT }],
          },
        ],
      },
    },
  };
  return new gcp.cloudrunv2.Job(
    ...adjust(args.transform?.orchestrator, `${name}-orchestrator-job`, jobArgs, {
      parent,
      dependsOn: [...what.dependsOn, ...what.roles.parts, ...files],
    }),
  );
}

/** A part of the execution's name, which has small letters, digits and dashes and is the same for the same run. */
function executionToken(run: string, text: string): string {
  const readable = run
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return `r${readable.slice(0, 24)}-${createHash("sha256").update(text).digest("hex").slice(0, 8)}`;
}
