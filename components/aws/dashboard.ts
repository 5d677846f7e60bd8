import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { DashboardConfig } from "../../assets/dashboard/config.ts";
import { userData } from "../../assets/dashboard/instance/aws/user-data.ts";
import { type BillLine, refuseAbove } from "../../core/bill.ts";
import { fleetKeys } from "../../core/fleet-lake.ts";
import { jobFor } from "../../core/job/same.ts";
import type { Job } from "../../core/job.ts";
import { Prefix } from "../../core/lake-layout.ts";
import { deadlineSeconds, type Lifetime } from "../../core/lifetime.ts";
import { mebibytes, type Size } from "../../core/size.ts";
import { Tag } from "../../core/tags.ts";
import { dashboardJob } from "../common/dashboard-job.ts";
import { dashboardRelease, PORT } from "../common/dashboard-release.ts";
import { rolePath, stackTags } from "../common/naming.ts";
import { type CommandOutputs, openCommand } from "../common/outputs.ts";
import { applyTransform, type Transform } from "../common/transform.ts";
import { dashboardBill } from "./bill.ts";
import { allow, SESSION_STATEMENTS, type Statement, serviceRole } from "./iam.ts";
import type { S3Lake } from "./lake.ts";
import { checkSubnets, egressAnywhere, type Subnets } from "./network.ts";
import { instanceType } from "./prices.ts";
import type { Reaper } from "./reaper.ts";
import { regionOf } from "./region.ts";

const DISK_GIBIBYTES = 8;

export interface AthenaDashboardArgs {
  /** The job whose panels are shown: the lake's, with all of its panels or some. @default the lake's job */
  readonly job?: Job;
  /** The lake that they query. */
  readonly lake: S3Lake;
  /** What ends the instance at its deadline. */
  readonly reaper: Reaper;
  /** Where the instance is put: a `Network` of the stack's own, or subnets of yours; the first is taken. */
  readonly network: Subnets;
  /** Name of a {@link GpuFleet} over the same lake: the page warns people an hour before it ends, or is stopped. @default none */
  readonly fleet?: string;
  /** Its deadline is within {@link AthenaDashboard.deadlines}. @default { deadline: "7 days" } */
  readonly lifetime?: Pick<Lifetime, "deadline" | "maxCost">;
  /** @default "t4g.small" */
  readonly instanceType?: string;
  /** The most that its queries may read in a day, which Athena bills by the TB. @default "10 GB" */
  readonly dailyScan?: Size;
  /** Region that the bill is for; the one the provider rents in. @default setting `aws:region`, else AWS_REGION */
  readonly region?: string;
  /** Changes a child just before it is made. */
  readonly transform?: {
    readonly instance?: Transform<aws.ec2.InstanceArgs>;
    readonly launchTemplate?: Transform<aws.ec2.LaunchTemplateArgs>;
  };
}

/**
 * A page that shows a job's panels by querying a lake on S3 through Athena, on a small instance that nobody can connect
 * to: `npx --no oneoff open` reaches it through Session Manager. It outlives the cluster and ends at a deadline of its own.
 */
export class AthenaDashboard extends pulumi.ComponentResource {
  static readonly deadlines = ["1 hour", "90 days"] as const;
  /** Id of the EC2 instance, `i-...`. */
  readonly instanceId: pulumi.Output<string>;
  /** Port of the page on the instance's loopback. */
  readonly port = PORT;
  /** Role of the instance. */
  readonly role: aws.iam.Role;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * What a dashboard costs at most, before anything is made.
   * @throws UsageError for what the constructor refuses.
   */
  static bill(args: DashboardPlanArgs): readonly BillLine[] {
    return dashboardPlan(args).bill;
  }

  /**
   * @throws UsageError for an unknown instance type, a deadline out of range, another job than the lake's, and when `maxCost`
   * is below the bill.
   */
  constructor(name: string, args: AthenaDashboardArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:AthenaDashboard", name, {}, opts);
    const { type, lifetime, dailyScanMebibytes } = dashboardPlan(args);
    const { lake } = args;
    const job = jobFor(args, "some");

    const release = dashboardRelease(name, configOf({ ...args, job }, dailyScanMebibytes * 2 ** 20));
    const { prefix } = release;
    const objects = release.objects.map(
      ({ name, key, from }) =>
        new aws.s3.BucketObjectv2(name, { bucket: lake.bucket, key, ...from, tags: stackTags() }, { parent: this }),
    );
    const role = serviceRole(`${name}-role`, "ec2.amazonaws.com", this);
    const policy = allow(
      `${name}-policy`,
      role,
      [
        ...lake.statements.query(),
        ...lake.statements.read([prefix]),
        // Those of steps: what EMR keeps beside them is compressed.
        { Action: ["s3:GetObject"], Resource: pulumi.interpolate`${lake.bucketArn}/${Prefix.logs}/*.log` },
        ...endsStatements(args),
        ...SESSION_STATEMENTS,
      ],
      this,
    );
    const profile = new aws.iam.InstanceProfile(
      `${name}-profile`,
      { path: rolePath(), role: role.name, tags: stackTags() },
      { parent: this },
    );
    const group = new aws.ec2.SecurityGroup(
      `${name}-group`,
      {
        vpcId: args.network.vpcId,
        description: `Dashboard ${name}: nobody connects to it`,
        revokeRulesOnDelete: true,
        tags: stackTags(),
      },
      { parent: this },
    );
    const egress = egressAnywhere(`${name}-egress`, group, this);
    const template = launchTemplate(name, args, { type, prefix, profile, group }, this);
    const instanceArgs: aws.ec2.InstanceArgs = {
      launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
      subnetId: args.network.subnetIds[0] as pulumi.Input<string>,
      tags: {
        ...stackTags({ [Tag.deadline]: lifetime.deadline, Name: `${pulumi.getStack()}-${name}` }),
        [Tag.lake]: lake.bucket,
      },
    };
    const options = { parent: this, dependsOn: [...args.reaper.parts, ...objects, policy, egress, lake] };
    const instance = new aws.ec2.Instance(
      ...applyTransform(args.transform?.instance, `${name}-instance`, instanceArgs, options),
    );
    // After the instance, because Pulumi deletes in levels: so it ends while the cluster does, and not before.
    new aws.s3.BucketObjectv2(
      `${name}-current`,
      { bucket: lake.bucket, key: `${prefix}/current`, content: release.digest, tags: stackTags() },
      { parent: this, dependsOn: [instance] },
    );
    this.role = role;
    this.instanceId = instance.id;
    this.outputs = {
      dashboard: openCommand(),
      dashboardInstance: this.instanceId,
      dashboardDeadline: lifetime.deadline,
    };
    this.registerOutputs({ instanceId: this.instanceId });
  }
}

/** What a plan is made of: all but what has to be made first. */
export type DashboardPlanArgs = Omit<AthenaDashboardArgs, "job" | "lake" | "reaper" | "network"> & {
  readonly network?: Subnets | undefined;
};

/** The arguments, checked and with their defaults, and what they come to. */
function dashboardPlan(args: DashboardPlanArgs) {
  const lifetime = args.lifetime ?? ({ deadline: "7 days" } as const);
  const type = args.instanceType ?? "t4g.small";
  const dailyScanMebibytes = mebibytes(args.dailyScan ?? "10 GB", "dailyScan");
  if (args.network) checkSubnets(args.network);
  const bill = dashboardBill({
    region: args.region ?? regionOf(),
    instanceType: type,
    diskGibibytes: DISK_GIBIBYTES,
    deadlineSeconds: deadlineSeconds(lifetime, ...AthenaDashboard.deadlines),
    dailyScanMebibytes,
  });
  refuseAbove(lifetime.maxCost, bill);
  return { type, lifetime, dailyScanMebibytes, bill };
}

interface TemplateParts {
  readonly type: string;
  /** Where the releases lie in the lake. */
  readonly prefix: string;
  readonly profile: aws.iam.InstanceProfile;
  readonly group: aws.ec2.SecurityGroup;
}

/** The image is named by a parameter of AWS's, so a new release of it changes nothing that is there. */
function launchTemplate(
  name: string,
  { lake, transform }: AthenaDashboardArgs,
  { type, prefix, profile, group }: TemplateParts,
  parent: pulumi.Resource,
): aws.ec2.LaunchTemplate {
  const { architecture } = instanceType(type);
  const tags = stackTags({ Name: `${pulumi.getStack()}-${name}` });
  const templateArgs: aws.ec2.LaunchTemplateArgs = {
    imageId: `resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${architecture}`,
    instanceType: type,
    iamInstanceProfile: { arn: profile.arn },
    vpcSecurityGroupIds: [group.id],
    metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
    blockDeviceMappings: [
      {
        deviceName: "/dev/xvda",
        ebs: { volumeType: "gp3", volumeSize: DISK_GIBIBYTES, encrypted: "true", deleteOnTermination: "true" },
      },
    ],
    // Only burstable types take it; "unlimited" would cost beyond the bill.
    ...(/^t\d/.test(type) && { creditSpecification: { cpuCredits: "standard" } }),
    instanceInitiatedShutdownBehavior: "terminate",
    updateDefaultVersion: true,
    tagSpecifications: ["volume", "network-interface"].map((resourceType) => ({ resourceType, tags })),
    userData: pulumi
      .all([lake.bucket, lake.region])
      .apply(([bucket, region]) => Buffer.from(userData({ bucket, prefix, region, port: PORT })).toString("base64")),
    tags: stackTags(),
  };
  return new aws.ec2.LaunchTemplate(
    ...applyTransform(transform?.launchTemplate, `${name}-template`, templateArgs, { parent }),
  );
}

/** The one object that tells when a fleet ends. */
const endsStatements = ({ lake, fleet }: AthenaDashboardArgs): readonly Statement[] =>
  fleet === undefined
    ? []
    : [{ Action: ["s3:GetObject"], Resource: pulumi.interpolate`${lake.bucketArn}/${fleetKeys(fleet).reaper}` }];

function configOf(
  { job, lake, fleet }: AthenaDashboardArgs & { readonly job: Job },
  dailyScanBytes: number,
): pulumi.Output<DashboardConfig> {
  return pulumi.all([lake.uri, lake.region, lake.database, lake.workgroup]).apply(
    ([uri, region, database, workgroup]): DashboardConfig => ({
      job: dashboardJob(job),
      stack: pulumi.getStack(),
      engine: {
        kind: "athena",
        region,
        lake: uri,
        database,
        workgroup,
        dailyScanBytes,
        ...(fleet !== undefined && { fleet }),
      },
      port: PORT,
      token: "athena",
    }),
  );
}
