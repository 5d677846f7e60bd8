import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { BillLine } from "../../../core/bill.ts";
import type { Duration } from "../../../core/duration.ts";
import { arg, quote, refusal } from "../../../core/errors.ts";
import { fleetKeys } from "../../../core/fleet-lake.ts";
import { jobFor } from "../../../core/job/same.ts";
import type { Job } from "../../../core/job.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { NodeRole } from "../../../core/node-role.ts";
import { Tag } from "../../../core/tags.ts";
import { stackId, stackTags } from "../../common/naming.ts";
import type { CommandOutputs } from "../../common/outputs.ts";
import { runIdOf } from "../../common/run-id.ts";
import { runOrigin } from "../../common/run-origin.ts";
import { checkApp } from "../../common/services/app.ts";
import { Scheduler } from "../../common/services/scheduler.ts";
import { allow } from "../iam.ts";
import type { S3Lake } from "../lake.ts";
import { fleetReaperStatements, type Reaper } from "../reaper.ts";
import { APP_PORT } from "./app.ts";
import { FLEET_DEADLINES, type FleetPlan, type FleetPlanArgs } from "./args.ts";
import { colleaguePolicy } from "./colleague.ts";
import { usersFile } from "./keys.ts";
import {
  type MachinePlace,
  type MachineTransforms,
  type Standing,
  standing,
  standingMachine,
  standingTemplate,
} from "./machines.ts";
import { fleetMembers } from "./members.ts";
import { FleetNetwork } from "./network.ts";
import { dataConfig, headConfig, type NodeConfig, type NodePlace, workerConfig } from "./node-config.ts";
import { fleetPlan } from "./plan.ts";
import { fleetRoles, readsOf } from "./roles.ts";
import { runArchive } from "./run.ts";
import { checkSecrets, type FleetSecretValues, jobSecrets, parameterName, secretParameters } from "./secrets.ts";
import { placeOf, sharingOf } from "./sharing.ts";
import { checkSources, fleetSoftware } from "./software.ts";
import { workerGroup } from "./workers.ts";

export interface GpuFleetArgs extends FleetPlanArgs {
  /** What to run. Another job than the lake's is refused; the steps' arguments may be others. @default the lake's job */
  readonly job?: Job;
  /** Where results go, and by which the fleet talks with whoever asks it (ADR 19). */
  readonly lake: S3Lake;
  /** What ends it at its deadline, and gives back what nobody uses. */
  readonly reaper: Reaper;
  /**
   * Names the run. A run is executed once: only a new id runs again, and old runs stay in the lake.
   * @default the stack's setting `oneoff:runId`, which `npx --no oneoff run` sets, else "1"
   */
  readonly runId?: string;
  /** Values of the secrets that the job's steps name; only its run can read them. @default none */
  readonly secrets?: FleetSecretValues;
  /** Addresses of its VPC, a /16 to /24. @default "10.84.0.0/20" */
  readonly cidr?: string;
  /** AMI ids, for machines without a GPU and with one. @default the newest of each, when a machine starts */
  readonly images?: { readonly node?: string; readonly gpu?: string };
  /** Where wheels come from, a simple index. @default "https://pypi.org/simple" */
  readonly packageIndex?: string;
  /** Where jars come from, a Maven repository. @default "https://repo1.maven.org/maven2" */
  readonly maven?: string;
  /** Changes a child just before it is made. */
  readonly transform?: MachineTransforms;
}

/**
 * A fleet on EC2 that a team shares for a while: HDFS on machines of its own, Spark's standalone cluster or YARN on workers with or
 * without GPUs, JupyterLab for each user. No port is open, and no machine has a way to the internet. It runs a job when it is made; then it
 * stays until it is idle, at its deadline, or destroyed.
 */
export class GpuFleet extends pulumi.ComponentResource {
  /** The shortest and the longest deadline there can be. */
  static readonly deadlines = FLEET_DEADLINES;
  /** Names the run. */
  readonly runId: string;
  /** Name of the workers' Auto Scaling group. */
  readonly workers: pulumi.Output<string>;
  /** What a colleague's IAM identity must be allowed beside a key; undefined without users. */
  readonly colleaguePolicy: pulumi.Output<string> | undefined;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * What a fleet costs at most, before anything is made.
   *
   * @param stands how long the stack stands before it is destroyed. @default until the deadline
   * @throws UsageError for what the constructor refuses.
   */
  static bill(
    args: FleetPlanArgs & { readonly job: Job } & Pick<GpuFleetArgs, "secrets" | "packageIndex" | "maven">,
    stands?: Duration,
  ): readonly BillLine[] {
    checkPackages(args.job);
    checkSecrets(args.job, args.secrets);
    checkSources(args);
    checkApp(args.job, args.app ?? false);
    return fleetPlan(args, stands).bill;
  }

  /**
   * @throws UsageError for arguments that don't go together, are out of range or can't be had yet, for a key that is none, a job
   * whose secrets aren't given, another job than the lake's, and when `maxCost` is below the bill.
   */
  constructor(name: string, args: GpuFleetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:GpuFleet", name, {}, opts);
    const job = jobFor(args);
    checkPackages(job);
    checkSecrets(job, args.secrets);
    checkSources(args);
    checkApp(job, args.app ?? false);
    const plan = fleetPlan(args);
    for (const warning of plan.warnings) pulumi.log.warn(warning, this);
    this.runId = runIdOf(args.runId);
    const { lake, reaper } = args;

    const tags = lake.bucket.apply((bucket) => fleetTags(name, args, bucket));
    const seen = allow(`${name}-reaper-policy`, reaper.role, fleetReaperStatements(lake.bucketArn, name), this);
    const ends = [...reaper.parts, seen];
    const network = new FleetNetwork(
      `${name}-network`,
      {
        bucketArn: lake.bucketArn,
        reads: readsOf(job),
        ends: tags.apply((tags): Record<string, string> => ({ ...tags, [Tag.role]: "network" })),
        guards: ends,
        zones: plan.zones,
        ...(args.cidr && { cidr: args.cidr }),
      },
      { parent: this },
    );
    const parameter = sparkParameter(name, this);
    const { packageIndex, maven } = args;
    const from = { ...(packageIndex && { packageIndex }), ...(maven && { maven }) };
    const yarn = plan.scheduler === Scheduler.yarn;
    const software = fleetSoftware(name, { lake, job, notebook: plan.notebook, app: plan.app, yarn, ...from }, this);
    const secrets = jobSecrets(name, job, args.secrets, this);
    const secretArns = secrets.map(({ arn }) => arn);
    const rights = { job, lake, parameterArn: parameter.arn, secretArns, software: software.statements, app: plan.app };
    const roles = fleetRoles(name, rights, this);
    const place: MachinePlace = {
      name,
      plan,
      lake,
      network,
      roles,
      software,
      images: args.images ?? {},
      tags,
      ends,
      guards: [...ends, ...network.parts, ...roles.parts, ...software.parts, parameter, lake],
      transform: args.transform,
      parent: this,
    };
    const head = standing(place, NodeRole.head, NodeRole.head);
    const nodes = Array.from({ length: plan.hdfs.datanodes }, (_, i) =>
      standing(place, `data-${i + 1}`, NodeRole.data),
    );
    const said = keepObjects(name, { plan, job, lake, run: this.runId, head, software, secrets }, this);
    const members = fleetMembers(name, plan, lake, nodes, this);
    const configOf = configs(place, head, parameter);
    const template = standingTemplate(place);
    const started = standingMachine(
      place,
      head,
      template,
      configOf((at) => headConfig(plan, at)),
      said,
    );
    for (const one of nodes) {
      standingMachine(
        place,
        one,
        template,
        configOf((at) => dataConfig(plan, at, one.node)),
        [members],
      );
    }
    const group = workerGroup(
      place,
      configOf((at) => workerConfig(plan, at)),
      [...said, ...started],
    );

    this.workers = group.name;
    this.colleaguePolicy =
      plan.users.length === 0
        ? undefined
        : lake.account.apply((account) => colleaguePolicy({ stack: stackId(), region: plan.region, account }));
    this.outputs = {
      cluster: "gpu-fleet",
      fleet: name,
      run: this.runId,
      deadline: args.lifetime.deadline,
      ...(this.colleaguePolicy && { colleaguePolicy: this.colleaguePolicy }),
      ...(yarn && { yarn: head.card.privateIp.apply((at) => `http://${placeOf(sharingOf(plan, at).manager, at)}/`) }),
      ...(plan.app && { app: pulumi.interpolate`http://${head.card.privateIp}:${APP_PORT}/` }),
      lake: lake.uri,
      logs: pulumi.interpolate`${lake.uri}/${Prefix.logs}/`,
      region: lake.region,
    };
    this.registerOutputs({ runId: this.runId, workers: this.workers });
  }
}

function checkPackages(job: Job): void {
  const packaged = job.steps.find(({ packages }) => packages.length > 0);
  if (!packaged) return;
  throw refusal`${arg("job")} has step ${quote(packaged.name)}, which needs package ${quote(packaged.packages[0])}: machines of a fleet reach no Maven repository; run it on stack emr-oneoff`;
}

/** What tells the reaper and the command line whose a machine is, and when it ends. */
const fleetTags = (name: string, { lifetime, idleOff }: GpuFleetArgs, bucket: string): Record<string, string> =>
  stackTags({
    [Tag.lake]: bucket,
    [Tag.cluster]: name,
    [Tag.deadline]: lifetime.deadline,
    ...(lifetime.idle && { [Tag.idle]: lifetime.idle }),
    ...(idleOff && { [Tag.idleOff]: idleOff }),
  });

/** What Spark's daemons, drivers and executors know each other by. Machines read it, and no variable or argument has it. */
function sparkParameter(name: string, parent: pulumi.Resource): aws.ssm.Parameter {
  const secret = new random.RandomPassword(`${name}-spark`, { length: 32, special: false }, { parent });
  return new aws.ssm.Parameter(
    `${name}-spark-secret`,
    { name: parameterName(name, "spark"), type: "SecureString", value: secret.result, tags: stackTags() },
    { parent },
  );
}

/** Makes what a machine is told, once it is known where all others are. */
const configs =
  ({ name, lake, roles }: MachinePlace, head: Standing, parameter: aws.ssm.Parameter) =>
  (make: (place: NodePlace) => NodeConfig): pulumi.Output<NodeConfig> =>
    pulumi
      .output({
        bucket: lake.bucket,
        region: lake.region,
        head: head.card.privateIp,
        sparkParameter: parameter.name,
        usersRole: roles.users.arn,
        runRole: roles.run.arn,
        appRole: roles.app?.arn,
      })
      .apply(({ bucket, ...place }) => make({ fleet: name, lake: `s3://${bucket}`, ...place }));

interface Said {
  readonly plan: FleetPlan;
  readonly job: Job;
  readonly lake: S3Lake;
  readonly run: string;
  readonly head: Standing;
  readonly software: ReturnType<typeof fleetSoftware>;
  /** What must be there before the run. */
  readonly secrets: readonly pulumi.Resource[];
}

/** What the fleet is told by way of the lake, and changes nothing about its machines when it does. */
function keepObjects(
  name: string,
  { plan, job, lake, run, head, software, secrets }: Said,
  parent: pulumi.Resource,
): readonly pulumi.Resource[] {
  const keys = fleetKeys(name);
  const keep = (what: string, key: string, content: Partial<aws.s3.BucketObjectv2Args>) =>
    new aws.s3.BucketObjectv2(
      `${name}-${what}`,
      { bucket: lake.bucket, key, ...content, tags: stackTags() },
      { parent, dependsOn: [lake] },
    );
  const conf = head.card.privateIp.apply((address) =>
    Object.entries(sharingOf(plan, address).conf)
      .map(([property, value]) => `${property} ${value}\n`)
      .join(""),
  );
  const archive = pulumi
    .all([lake.uri, head.card.privateIp, runOrigin(job), pulumi.all(job.steps.map(software.requirements))])
    .apply(([uri, address, origin, requirements]) =>
      runArchive(plan, {
        ...{ job, run, lake: uri, head: address, origin, requirements },
        secrets: secretParameters(name, job),
      }),
    );
  return [
    keep("users", keys.users, { content: usersFile(name, plan.users) }),
    keep("power", keys.power, { content: JSON.stringify(plan.power) }),
    keep("spark-conf", keys.conf, { content: conf }),
    new aws.s3.BucketObjectv2(
      `${name}-run-${run}`,
      { bucket: lake.bucket, key: keys.run(run), contentBase64: archive, tags: stackTags() },
      // A run is made once: what changes meanwhile is for the next.
      { parent, dependsOn: [lake, ...secrets], ignoreChanges: ["contentBase64"] },
    ),
  ];
}
