import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { DataprocMode, type Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import { originKey, Prefix } from "../../../core/lake-layout.ts";
import { bundle } from "../../common/bundle.ts";
import { lakeLabels } from "../../common/naming.ts";
import { ASSETS, uploads } from "../../common/node-code.ts";
import { runOrigin } from "../../common/run-origin.ts";
import { applyTransform } from "../../common/transform.ts";
import type { GcsLake } from "../lake.ts";
import type { DataprocClusterArgs, DataprocPlan } from "./args.ts";
import type { DataprocRoles } from "./roles.ts";
import { batch, packagesKey, pysparkJob, type StepPlace } from "./steps.ts";

/** Node.js on next to nothing, from Google's own registry (https://github.com/GoogleContainerTools/distroless). */
const IMAGE = "gcr.io/distroless/nodejs24-debian12";

/** A task of Cloud Run ends by itself after so long at the most (https://cloud.google.com/run/docs/configuring/task-timeout). */
const LONGEST_TASK = 7 * 86_400;
/** Seconds that the orchestrator has beyond the run's deadline, to load tables and to say how it ended. */
const SPARE = 900;

/** What fetches the orchestrator and what it is told: nothing has to be there when its container starts. */
const boot = (): string => readFileSync(join(ASSETS, "dataproc-orchestrator/boot.mjs"), "utf8");

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
    ({ key, source, logical }) =>
      new gcp.storage.BucketObject(
        `${name}-${logical}`,
        { bucket: lake.bucket, name: key, source },
        { parent, retainOnDelete: true },
      ),
  );

/** Puts what makes a run into the lake, once for each run, to be recorded with it: what changes meanwhile is for the next. */
export const uploadDataprocOrigin = (
  name: string,
  { job, run }: DataprocPlan,
  lake: GcsLake,
  parent: pulumi.Resource,
): pulumi.Resource =>
  new gcp.storage.BucketObject(
    `${name}-origin-${run}`,
    { bucket: lake.bucket, name: originKey(run), content: pulumi.jsonStringify(runOrigin(job)) },
    { parent, retainOnDelete: true, ignoreChanges: ["content"] },
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
    deadlineSeconds: Math.min(plan.deadlineSeconds, LONGEST_TASK - SPARE),
    steps: job.steps.map((step) => ({
      name: step.name,
      timeLimitSeconds: step.timeLimitSeconds,
      ...(step.endless && { endless: true }),
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
  const path = join(bundle("dataproc-orchestrator"), "index.mjs");
  const program = createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);
  const text = what.launch.apply((launch) => JSON.stringify(launch));
  const start = boot();
  const programKey = `${Prefix.code}/${program}/orchestrator.mjs`;
  const launchKey = text.apply((text) => `${Prefix.clusters}/${plan.run}/launch-${digestOfText(text)}.json`);
  // They stay: an execution that goes on while there is another launch may have to start again.
  const file = (use: string, key: pulumi.Input<string>, content: Partial<gcp.storage.BucketObjectArgs>) =>
    new gcp.storage.BucketObject(
      `${name}-${use}`,
      { bucket: lake.bucket, name: key, ...content },
      { parent, retainOnDelete: true },
    );
  const files = [
    file("orchestrator.mjs", programKey, { source: new pulumi.asset.FileAsset(path) }),
    file("launch", launchKey, { content: text, contentType: "application/json" }),
  ];
  const jobArgs: gcp.cloudrunv2.JobArgs = {
    project: plan.project,
    location: plan.region,
    name: pulumi.interpolate`oneoff-${what.hex}`,
    deletionProtection: false,
    labels: lakeLabels(lake.bucket),
    // Another launch of the same run starts it too: it finds the run begun, and says so.
    startExecutionToken: text.apply((text) => executionToken(plan.run, `${text}${program}${start}`)),
    template: {
      labels: lakeLabels(lake.bucket),
      taskCount: 1,
      template: {
        serviceAccount: what.roles.orchestrator.email,
        timeout: `${Math.min(plan.deadlineSeconds + SPARE, LONGEST_TASK)}s`,
        maxRetries: 3, // Google may restart a task: it goes on where it was
        containers: [
          {
            image: args.image ?? IMAGE,
            args: ["--input-type=module", "-e", start, lake.bucket, programKey, launchKey],
            resources: { limits: { cpu: "1", memory: "512Mi" } },
          },
        ],
      },
    },
  };
  return new gcp.cloudrunv2.Job(
    ...applyTransform(args.transform?.orchestrator, `${name}-orchestrator-job`, jobArgs, {
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
  return `r${readable.slice(0, 24)}-${digestOfText(text).slice(0, 8)}`;
}

const digestOfText = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);
