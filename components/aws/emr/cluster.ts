import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Launch, Launched } from "../../../assets/emr-launcher/event.ts";
import type { BillLine } from "../../../core/bill.ts";
import type { Duration } from "../../../core/duration.ts";
import { jobFor } from "../../../core/job/same.ts";
import type { Job } from "../../../core/job.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { Tag } from "../../../core/tags.ts";
import { physicalName, stackId, stackTags } from "../../common/naming.ts";
import type { CommandOutputs } from "../../common/outputs.ts";
import { lambdaFunction } from "../function.ts";
import { allow } from "../iam.ts";
import { EMR_TAG, Network } from "../network.ts";
import { EMR_DEADLINES, type EmrClusterArgs, type EmrPlan, type EmrPlanArgs, emrPlan } from "./args.ts";
import { cancelPolicy } from "./cancel-policy.ts";
import { uploadCode, uploadOrigin } from "./code.ts";
import { type ClusterGroups, clusterGroups } from "./groups.ts";
import { jobFlow } from "./job-flow.ts";
import { launcherStatements } from "./launcher-policy.ts";
import { type ClusterRoles, clusterRoles } from "./roles.ts";
import { type ClusterSecurity, clusterSecurity } from "./security.ts";

/**
 * A throwaway EMR cluster: runs a job over a lake on S3, then ends. It is launched once per run id, by a small function,
 * and is not in Pulumi's state itself: one that has ended is a success and no drift (docs/adr/0005).
 */
export class EmrCluster extends pulumi.ComponentResource {
  /** The shortest and the longest deadline there can be: a cluster takes about 10 minutes to start. */
  static readonly deadlines = EMR_DEADLINES;
  /** Names the run. */
  readonly runId: string;
  /** Id of the EMR cluster that was rented for the run, `j-...`; empty where the run was cancelled before. */
  readonly clusterId: pulumi.Output<string>;
  /** Folder with one log per step. */
  readonly logs: pulumi.Output<string>;
  /** Role of the machines. */
  readonly role: aws.iam.Role;
  /** ARN of the policy for whoever may cancel runs; undefined where `cancelPolicy` is not set. */
  readonly cancelPolicy: pulumi.Output<string> | undefined;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * What a cluster costs at most, before anything is made.
   *
   * @param stands how long the stack stands before it is destroyed: keys cost until then. @default until the deadline
   * @throws UsageError for what the constructor refuses.
   */
  static bill(args: EmrPlanArgs, stands?: Duration): readonly BillLine[] {
    return emrPlan(args, stands).bill;
  }

  /**
   * @throws UsageError for arguments that don't go together or are out of range, another job than the lake's, and when
   * `maxCost` is below the bill.
   */
  constructor(name: string, args: EmrClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:EmrCluster", name, {}, opts);
    const job = jobFor(args);
    const plan = emrPlan({ ...args, job });
    this.runId = plan.run;
    const { lake, network, reaper } = args;

    const hex = new random.RandomId(`${name}-id`, { byteLength: 4 }, { parent: this }).hex;
    const security = clusterSecurity(name, lake, hex, this);
    const secrets = keepSecrets(name, job, args.secrets, hex, this);
    const roles = clusterRoles(
      name,
      {
        ...args,
        job,
        diskKeyArn: security.diskKeyArn,
        secretArns: Object.values(secrets),
        spot: plan.spot !== undefined,
        reads: plan.reads,
      },
      this,
    );
    const groups = clusterGroups(name, network, args.ssh, this);
    const code = [...uploadCode(name, plan.code, lake, this), uploadOrigin(name, plan, lake, this)];
    const launcher = lambdaFunction(
      `${name}-launcher`,
      {
        code: "emr-launcher",
        about: `Rents cluster ${name} of stack ${stackId()}, once per run`,
        environment: {},
        memoryMebibytes: 1024,
        timeoutSeconds: 900,
        statements: launcherStatements({
          stack: stackId(),
          bucket: lake.bucket,
          bucketArn: lake.bucketArn,
          roleArns: [roles.service.arn, roles.nodes.arn],
        }),
      },
      this,
    );
    const requests = allow(`${name}-reaper-policy`, reaper.role, lake.statements.read([Prefix.cancels]), this);
    const guard = new aws.lambda.Invocation(
      `${name}-guard`,
      {
        functionName: launcher.function.name,
        lifecycleScope: "CRUD",
        input: pulumi.jsonStringify({ stack: stackId(), cluster: name, bucket: lake.bucket }),
      },
      {
        parent: this,
        dependsOn: [
          ...reaper.parts,
          requests,
          ...launcher.parts,
          ...roles.parts,
          ...groups.parts,
          ...security.parts,
          ...code,
          lake,
          ...(network instanceof Network ? [network] : []),
        ],
      },
    );
    // A run that is replaced ends nothing by that: the launcher ends the one before when it rents the next.
    const run = new aws.lambda.Invocation(
      `${name}-run`,
      {
        functionName: launcher.function.name,
        lifecycleScope: "CREATE_ONLY",
        input: launchInput(name, args, plan, { security, secrets, roles, groups }),
      },
      { parent: this, dependsOn: [guard], replaceOnChanges: ["input"] },
    );
    this.role = roles.nodes;
    this.cancelPolicy = args.cancelPolicy ? cancelPolicy(name, lake, this).arn : undefined;
    this.clusterId = run.result.apply((result) => launched(result, this).cluster);
    this.logs = pulumi.interpolate`s3://${lake.bucket}/_logs/`;
    this.outputs = {
      cluster: "emr",
      run: this.runId,
      clusterId: this.clusterId,
      deadline: args.lifetime.deadline,
      keepAlive: args.keepAlive ?? false,
      ...(this.cancelPolicy && { cancelPolicy: this.cancelPolicy }),
      lake: lake.uri,
      logs: this.logs,
      region: lake.region,
    };
    this.registerOutputs({ runId: this.runId, clusterId: this.clusterId, logs: this.logs });
  }
}

interface LaunchParts {
  readonly security: ClusterSecurity;
  readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
  readonly roles: ClusterRoles;
  readonly groups: ClusterGroups;
}

/** What the launcher is sent, as text. */
function launchInput(
  name: string,
  { lake, network, lifetime, packageIndex, transform }: EmrClusterArgs,
  plan: EmrPlan,
  { security, secrets, roles, groups }: LaunchParts,
): pulumi.Output<string> {
  const known = pulumi.output({
    bucket: lake.bucket,
    region: lake.region,
    subnetIds: [...network.subnetIds],
    groups: { primary: groups.primary.id, workers: groups.workers.id, service: groups.service?.id },
    serviceRole: roles.service.arn,
    instanceProfile: roles.profile.name,
    securityConfiguration: security.configurationName,
    secrets,
  });
  return known.apply((known) => {
    const title = `${pulumi.getProject()}-${pulumi.getStack()}-${name}-${plan.run}`;
    const tags = stackTags({
      [Tag.cluster]: name,
      [Tag.run]: plan.run,
      [Tag.deadline]: lifetime.deadline,
      [Tag.lake]: known.bucket,
      Name: title,
      ...EMR_TAG,
    });
    const launch: Omit<Launch, "request"> & { readonly request: object } = {
      stack: stackId(),
      cluster: name,
      run: plan.run,
      bucket: known.bucket,
      wheels: Object.values(plan.code.wheels),
      architecture: plan.architecture,
      packageIndex: packageIndex ?? "https://pypi.org/simple",
      deadlineSeconds: plan.deadlineSeconds,
      request: { ...jobFlow({ ...plan, ...known, name: title, tags }), ...transform?.jobFlow },
    };
    return JSON.stringify(launch);
  });
}

/** What the function answered; what it warns of is shown. */
function launched(result: string, cluster: EmrCluster): Launched {
  const answer = JSON.parse(result) as Launched;
  if (answer.warning) pulumi.log.warn(answer.warning, cluster);
  return answer;
}

/** Keeps the job's secrets where the nodes can read them; they end at once with the stack. */
function keepSecrets(
  name: string,
  job: Job,
  secrets: EmrClusterArgs["secrets"] = {},
  hex: pulumi.Input<string>,
  parent: pulumi.Resource,
): Readonly<Record<string, pulumi.Output<string>>> {
  const wanted = [...new Set(job.steps.flatMap((step) => step.secrets))];
  const kept = wanted.map((secret) => {
    const holder = new aws.secretsmanager.Secret(
      `${name}-secret-${secret}`,
      { name: physicalName(`${name}-${secret}`, hex), recoveryWindowInDays: 0, tags: stackTags() },
      { parent },
    );
    const version = new aws.secretsmanager.SecretVersion(
      `${name}-secret-${secret}-value`,
      { secretId: holder.id, secretString: pulumi.secret(secrets[secret] as pulumi.Input<string>) },
      { parent },
    );
    return [secret, version.arn] as const;
  });
  return Object.fromEntries(kept);
}
