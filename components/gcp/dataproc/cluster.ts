import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { DataprocMode, templateStep } from "../../../assets/dataproc-orchestrator/launch.ts";
import type { BillLine } from "../../../core/bill.ts";
import { neededSecrets } from "../../../core/checks.ts";
import type { Duration } from "../../../core/duration.ts";
import { jobFor } from "../../../core/job/same.ts";
import { Label, labelValue } from "../../../core/labels.ts";
import { lakeLabels, physicalName } from "../../common/naming.ts";
import { ASSETS } from "../../common/node-code.ts";
import type { CommandOutputs } from "../../common/outputs.ts";
import { applyTransform } from "../../common/transform.ts";
import { GcpNetwork } from "../network.ts";
import {
  bucketsToRead,
  DATAPROC_DEADLINES,
  type DataprocClusterArgs,
  type DataprocPlan,
  type DataprocPlanArgs,
  dataprocPlan,
} from "./args.ts";
import { letCancel } from "./cancellers.ts";
import { type ClusterParts, clusterConfig, managedConfig } from "./config.ts";
import { type LaunchPlace, launchOf, orchestrator, uploadDataprocCode, uploadDataprocOrigin } from "./launch.ts";
import { type DataprocRoles, dataprocRoles } from "./roles.ts";
import { nodeMetadata, pysparkJob, setUpScript } from "./steps.ts";

/**
 * Throwaway compute on Dataproc: runs a job over a lake on Google Cloud Storage, then ends. An orchestrator, a Cloud Run job
 * of its own, follows each run to its end and loads its rows into BigQuery (docs/adr/0008).
 */
export class DataprocCluster extends pulumi.ComponentResource {
  /** The shortest and the longest deadline there can be, by mode. */
  static readonly deadlines = DATAPROC_DEADLINES;
  /** Names the run. */
  readonly runId: string;
  readonly mode: DataprocMode;
  /** Name of the cluster in mode "cluster"; undefined in the others. */
  readonly clusterName: pulumi.Output<string | undefined>;
  /** Address of JupyterLab in mode "cluster", which asks for a Google account; undefined in the others. */
  readonly notebook: pulumi.Output<string | undefined>;
  /** Name of the Cloud Run job that follows runs. */
  readonly orchestrator: pulumi.Output<string>;
  /** Folder with one log per step. */
  readonly logs: pulumi.Output<string>;
  /** E-mail address of the machines' service account. */
  readonly serviceAccount: pulumi.Output<string>;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * What a run costs at most, before anything is made.
   *
   * @param stands how long the stack stands before it is destroyed: secrets cost until then. @default until the deadline
   * @throws UsageError for what the constructor refuses.
   */
  static bill(args: DataprocPlanArgs, stands?: Duration): readonly BillLine[] {
    return dataprocPlan(args, stands).bill;
  }

  /**
   * @throws UsageError for arguments that don't go together or are out of range, another job than the lake's, and when
   * `maxCost` is below the bill.
   */
  constructor(name: string, args: DataprocClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:DataprocCluster", name, {}, opts);
    const { lake, network } = args;
    const job = jobFor(args);
    const plan = dataprocPlan({ ...args, job });
    this.runId = plan.run;
    this.mode = plan.mode;

    const hex = new random.RandomId(`${name}-id`, { byteLength: 4 }, { parent: this }).hex;
    const reads = bucketsToRead(job, args.reads, lake.bucketGiven);
    const roles = dataprocRoles(name, plan, { lake, reads, hex, kerberos: args.kerberos }, this);
    letCancel(name, { project: plan.project, members: args.cancellers ?? [], lake, hex }, this);
    const secrets = keepSecrets(name, plan, args, roles, hex, this);
    const code = [...uploadDataprocCode(name, plan, lake, this), uploadDataprocOrigin(name, plan, lake, this)];
    const labels = lakeLabels(lake.bucket, { [Label.cluster]: labelValue(name), [Label.run]: labelValue(plan.run) });
    const parts: ClusterParts = {
      lake,
      network,
      account: roles.nodes.email,
      metadata: lake.bucket.apply((bucket) => nodeMetadata(plan, bucket)),
      setUp: lake.bucket.apply((bucket) => setUpScript(plan, bucket)),
      policy: autoscalingPolicy(name, plan, hex, this),
      kerberos: args.kerberos,
      kmsKey: args.kmsKey,
    };
    const needed = [...roles.parts, ...code, ...secrets.parts, ...(network instanceof GcpNetwork ? network.parts : [])];
    const place = pulumi.output({
      bucket: lake.bucket,
      dataset: lake.dataset,
      staging: lake.staging,
      account: roles.nodes.email,
      subnetwork: network.subnetwork,
      secrets: secrets.versions,
      labels,
      kmsKey: args.kmsKey,
    });
    // Cluster and orchestrator don't wait for each other: the one's machines need the wheels that the other fetches.
    const staying = plan.mode === DataprocMode.cluster ? clusterName(plan, hex, LONGEST_NAME) : undefined;
    const cluster = staying && makeCluster(name, plan, args, { parts, labels, hex, needed }, staying, this);
    const template =
      plan.mode === DataprocMode.workflow
        ? makeTemplate(name, plan, args, { parts, labels, hex, needed, place }, this)
        : undefined;
    const launch = pulumi
      .all([place, staying, template?.name])
      .apply(([place, cluster, template]) =>
        launchOf(plan, { ...place, cluster, template: template?.split("/").at(-1) }, args.packageIndex),
      );
    const dependsOn = template ? [...needed, template] : needed;
    const follower = orchestrator(name, plan, args, { launch, hex, roles, dependsOn }, this);

    this.clusterName = pulumi.output(staying);
    this.notebook = pulumi.output(cluster?.clusterConfig.endpointConfig?.httpPorts).apply((ports) => ports?.JupyterLab);
    this.orchestrator = follower.name;
    this.logs = pulumi.interpolate`gs://${lake.bucket}/_logs/`;
    this.serviceAccount = roles.nodes.email;
    this.outputs = {
      cluster: "dataproc",
      run: this.runId,
      mode: this.mode,
      project: lake.project,
      region: lake.location,
      clusterName: this.clusterName,
      notebook: this.notebook,
      orchestrator: this.orchestrator,
      deadline: args.lifetime.deadline,
      lake: lake.uri,
      dataset: lake.dataset,
      logs: this.logs,
    };
    this.registerOutputs({ runId: this.runId, mode: this.mode, logs: this.logs });
  }
}

interface Making {
  readonly parts: ClusterParts;
  readonly labels: pulumi.Output<Record<string, string>>;
  readonly hex: pulumi.Output<string>;
  readonly needed: readonly pulumi.Resource[];
}

/** Of a cluster's name; that of a managed one gets digits of Dataproc's own behind it. */
const LONGEST_NAME = 51;
const LONGEST_PREFIX = 35;

/** Names a cluster after stack and run, a letter first. */
const clusterName = ({ run }: DataprocPlan, hex: pulumi.Output<string>, longest: number): pulumi.Output<string> => {
  const exact = `oneoff-${pulumi.getStack()}-${run}`;
  const room = longest - "-12345678".length;
  const readable = exact.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  // Two runs have two names, also where they differ in what a name can't have.
  const isWhole = readable === exact && readable.length <= room && !readable.endsWith("-");
  const digest = createHash("sha256").update(exact).digest("hex").slice(0, 4);
  const unique = isWhole ? readable : `${readable.slice(0, room - 5).replace(/-+$/, "")}-${digest}`;
  return hex.apply((hex) => `${unique}-${hex}`);
};

/**
 * What stays as it was when the run was begun: its end, and all that would make the cluster anew, and with it whatever runs
 * on it. What has changed takes effect with a new run id.
 */
const SETTLED = [
  "lifecycleConfig.autoDeleteTime",
  "gceClusterConfig",
  "softwareConfig",
  "initializationActions",
  "masterConfig",
  "workerConfig.machineType",
  "workerConfig.diskConfig",
  "preemptibleWorkerConfig.diskConfig",
  "encryptionConfig",
  "securityConfig",
].map((path) => `clusterConfig.${path}`);

/**
 * A cluster for one run. Google knows only a point in time at which it ends, so that is told at its creation and stays;
 * another run has another cluster with another end.
 */
function makeCluster(
  name: string,
  plan: DataprocPlan,
  { transform, lake }: DataprocClusterArgs,
  { parts, labels, needed }: Making,
  physical: pulumi.Output<string>,
  parent: pulumi.Resource,
): gcp.dataproc.Cluster {
  const notebook = new gcp.storage.BucketObject(
    `${name}-notebook`,
    {
      bucket: lake.staging,
      name: `notebooks/jupyter/lake-${plan.run}.ipynb`, // where Dataproc's JupyterLab looks; who edits it keeps it
      content: pulumi
        .all([lake.uri, lake.dataset])
        .apply(([uri, dataset]) =>
          readFileSync(join(ASSETS, "notebooks/lake.ipynb"), "utf8")
            .replaceAll("{lake}", uri)
            .replaceAll("{run}", plan.run)
            .replaceAll("{dataset}", `${plan.project}.${dataset}`),
        ),
    },
    { parent, retainOnDelete: true }, // it goes with the bucket, and not with the run: somebody may have worked on it
  );
  const args: gcp.dataproc.ClusterArgs = {
    project: plan.project,
    region: plan.region,
    name: physical,
    labels,
    clusterConfig: clusterConfig(plan, parts, new Date(Date.now() + plan.deadlineSeconds * 1000)),
  };
  const autoscaled = plan.workers.upTo !== undefined;
  return new gcp.dataproc.Cluster(
    ...applyTransform(transform?.cluster, `${name}-${plan.run}`, args, {
      parent,
      dependsOn: [...needed, notebook],
      ignoreChanges: [...SETTLED, ...(autoscaled ? ["clusterConfig.preemptibleWorkerConfig.numInstances"] : [])],
    }),
  );
}

/** A template whose cluster is there for the time of one workflow. The orchestrator instantiates it. */
function makeTemplate(
  name: string,
  plan: DataprocPlan,
  { transform }: DataprocClusterArgs,
  { parts, labels, hex, needed, place }: Making & { readonly place: pulumi.Output<LaunchPlace> },
  parent: pulumi.Resource,
): gcp.dataproc.WorkflowTemplate {
  const { steps } = plan.job;
  const jobs = place.apply((place) =>
    steps.map((step, i) => {
      const before = steps[i - 1];
      const { mainPythonFileUri, args } = pysparkJob(plan, place, step);
      return {
        stepId: templateStep(step),
        ...(before && { prerequisiteStepIds: [templateStep(before)] }),
        pysparkJob: { mainPythonFileUri, args: [...args] },
      };
    }),
  );
  const fields = jobs.apply((jobs) =>
    jobs.map(({ stepId, pysparkJob }) => `jobs['${stepId}'].pysparkJob.args[${pysparkJob.args.indexOf("{deadline}")}]`),
  );
  const args: gcp.dataproc.WorkflowTemplateArgs = {
    project: plan.project,
    location: plan.region,
    name: pulumi.interpolate`oneoff-${hex}`,
    labels,
    dagTimeout: `${plan.deadlineSeconds}s`,
    placement: {
      managedCluster: {
        clusterName: clusterName(plan, hex, LONGEST_PREFIX),
        labels,
        config: managedConfig(plan, parts),
      },
    },
    jobs,
    parameters: [{ name: "DEADLINE", fields, description: "When the run ends at the latest" }],
  };
  return new gcp.dataproc.WorkflowTemplate(
    ...applyTransform(transform?.template, `${name}-template`, args, {
      parent,
      dependsOn: [...needed],
      deleteBeforeReplace: true,
    }),
  );
}

/** Of 50 characters at most. A policy takes no label, so its name tells whose it is. */
const policyId = (name: string, hex: pulumi.Output<string>): pulumi.Output<string> =>
  pulumi.all([physicalName(name, hex), hex]).apply(([id, hex]) => {
    const readable = id
      .slice(0, -hex.length - 1)
      .slice(0, 41)
      .replace(/-+$/, "");
    return `${readable}-${hex}`;
  });

/** Adds spot machines while work waits for them, and takes them away again. */
function autoscalingPolicy(
  name: string,
  { project, region, mode, workers }: DataprocPlan,
  hex: pulumi.Output<string>,
  parent: pulumi.Resource,
): pulumi.Output<string> | undefined {
  if (workers.upTo === undefined || mode === DataprocMode.batch) return undefined;
  const policy = new gcp.dataproc.AutoscalingPolicy(
    `${name}-autoscaling`,
    {
      project,
      location: region,
      policyId: policyId(name, hex),
      basicAlgorithm: {
        yarnConfig: { gracefulDecommissionTimeout: "600s", scaleUpFactor: 0.5, scaleDownFactor: 1 },
      },
      workerConfig: { minInstances: workers.count, maxInstances: workers.count },
      secondaryWorkerConfig: { minInstances: workers.spot, maxInstances: workers.upTo },
    },
    { parent },
  );
  return policy.name;
}

/** Keeps the job's secrets where the machines can read them. */
function keepSecrets(
  name: string,
  { project, region, job }: DataprocPlan,
  { secrets = {}, lake }: DataprocClusterArgs,
  { nodes }: DataprocRoles,
  hex: pulumi.Output<string>,
  parent: pulumi.Resource,
) {
  const parts: pulumi.Resource[] = [];
  const versions = neededSecrets(job).map((secret) => {
    const holder = new gcp.secretmanager.Secret(
      `${name}-secret-${secret}`,
      {
        project,
        secretId: pulumi.interpolate`oneoff-${secret}-${hex}`,
        replication: { userManaged: { replicas: [{ location: region }] } },
        labels: lakeLabels(lake.bucket),
      },
      { parent },
    );
    const version = new gcp.secretmanager.SecretVersion(
      `${name}-secret-${secret}-value`,
      { secret: holder.id, secretData: pulumi.secret(secrets[secret] as pulumi.Input<string>) },
      { parent },
    );
    const access = new gcp.secretmanager.SecretIamMember(
      `${name}-secret-${secret}-access`,
      { project, secretId: holder.secretId, role: "roles/secretmanager.secretAccessor", member: nodes.member },
      { parent },
    );
    parts.push(version, access);
    return [secret, version.name] as const;
  });
  return { versions: Object.fromEntries(versions), parts };
}
