import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { DashboardConfig } from "../../assets/dashboard/config.ts";
import { cloudConfig } from "../../assets/dashboard/instance/gcp/user-data.ts";
import { isPlain } from "../../assets/template.ts";
import { scanMebibytes } from "../../core/bigquery-table.ts";
import { type BillLine, refuseAbove } from "../../core/bill.ts";
import { type Duration, seconds } from "../../core/duration.ts";
import { invalid, quote } from "../../core/errors.ts";
import { jobFor } from "../../core/job/same.ts";
import type { Job } from "../../core/job.ts";
import { Prefix } from "../../core/lake-layout.ts";
import { deadlineSeconds, type Lifetime } from "../../core/lifetime.ts";
import type { Size } from "../../core/size.ts";
import { dashboardJob } from "../common/dashboard-job.ts";
import { dashboardRelease, PORT } from "../common/dashboard-release.ts";
import { lakeLabels } from "../common/naming.ts";
import { type CommandOutputs, openCommand } from "../common/outputs.ts";
import { applyTransform, type Transform } from "../common/transform.ts";
import { bigQueryDashboardBill } from "./bill.ts";
import type { GcsLake } from "./lake.ts";
import { checkGcpSubnet, type GcpSubnet } from "./network.ts";
import { machineType } from "./prices.ts";
import { checkRegion, googleRegion, ownedBy, serviceAccountId } from "./project.ts";

/** The least that Container-Optimized OS starts from. */
const DISK_GIBIBYTES = 10;
/** Of families whose disks are the cheapest, and whose processors the operating system's image is for. */
const FAMILIES = ["e2", "n1", "n2", "n2d"];
/** From Google's own registry: others can't be reached without a public address. It starts Node, and has nothing else. */
const IMAGE = "gcr.io/distroless/nodejs24-debian12:nonroot";
/** Where tunnels of Identity-Aware Proxy come from (https://cloud.google.com/iap/docs/using-tcp-forwarding). */
const TUNNELS = "35.235.240.0/20";

export interface BigQueryDashboardArgs {
  /** The job whose panels are shown: the lake's, with all of its panels or some. @default the lake's job */
  readonly job?: Job;
  /** The lake that they query. */
  readonly lake: GcsLake;
  /** Where the instance is put: a `GcpNetwork` of the stack's own, or a subnetwork of yours. */
  readonly network: GcpSubnet;
  /** Its deadline is within {@link BigQueryDashboard.deadlines}. @default { deadline: "7 days" } */
  readonly lifetime?: Pick<Lifetime, "deadline" | "maxCost">;
  /** @default "e2-small" */
  readonly machineType?: string;
  /** The most that its queries may read in a day, which BigQuery bills by the TB; at least "10 MB". @default "10 GB" */
  readonly dailyScan?: Size;
  /** Region of the instance, and of `network`. @default the provider's: setting `gcp:region`, else GOOGLE_REGION */
  readonly region?: string;
  /** Zone of the region. @default its zone b, as "europe-west1-b" */
  readonly zone?: string;
  /** Container image in which `node` is what is started; in a registry of Google's. @default Node 24 and nothing else */
  readonly image?: string;
  /** Changes a child just before it is made. */
  readonly transform?: {
    readonly instance?: Transform<gcp.compute.InstanceArgs>;
  };
}

/**
 * A page that shows a job's panels by querying a lake on GCS through BigQuery, on a small instance without a public
 * address: `npx --no oneoff open` reaches it by a tunnel of Identity-Aware Proxy. It outlives the cluster and stops at a
 * deadline of its own, which begins anew whenever somebody starts it again.
 */
export class BigQueryDashboard extends pulumi.ComponentResource {
  static readonly deadlines = ["1 hour", "90 days"] as const;
  /** Name of the instance. */
  readonly instanceName: pulumi.Output<string>;
  readonly zone: string;
  /** Port of the page on the instance. */
  readonly port = PORT;
  /** E-mail address of the service account that it has. */
  readonly serviceAccount: pulumi.Output<string>;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * What a dashboard costs at most, before anything is made.
   * @param stands how long the stack is there, as a stopped instance's disk still costs. @default until the deadline
   * @throws UsageError for what the constructor refuses.
   */
  static bill(args: BigQueryDashboardPlanArgs, stands?: Duration): readonly BillLine[] {
    return dashboardPlan(args, stands).bill;
  }

  /**
   * @throws UsageError for an unknown machine type, a zone that isn't the region's, a deadline out of range, another job
   * than the lake's, and when `maxCost` is below the bill.
   */
  constructor(name: string, args: BigQueryDashboardArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:BigQueryDashboard", name, {}, opts);
    const plan = dashboardPlan(args);
    const { lake } = args;
    const job = jobFor(args, "some");
    const { project } = lake;

    const release = dashboardRelease(name, configOf(job, lake, plan.dailyScanMebibytes));
    const objects = release.objects.map(
      // Old and new have different names, so the old can stay until the new are there.
      ({ name, key, from }) =>
        new gcp.storage.BucketObject(
          name,
          { bucket: lake.bucket, name: key, ...from },
          { parent: this, deleteBeforeReplace: false },
        ),
    );
    const account = serviceAccount(name, project, this);
    const access = [
      ...lake.grantQuery(`${name}-query`, account.member),
      ...lake.grantRead(`${name}-releases`, account.member, release.prefix),
      ...lake.grantRead(`${name}-step-logs`, account.member, Prefix.logs),
      new gcp.projects.IAMMember(
        `${name}-logs`,
        { project, role: "roles/logging.logWriter", member: account.member },
        { parent: this },
      ),
    ];
    const rules = firewall(name, args.network, project, account.email, this);
    const made = { account: account.email, prefix: release.prefix };
    const instance = new gcp.compute.Instance(
      ...applyTransform(args.transform?.instance, `${name}-instance`, instanceArgs(args, plan, made), {
        parent: this,
        dependsOn: [...objects, ...access, ...rules],
        // It is read when the machine starts.
        replaceOnChanges: ['metadata["user-data"]'],
      }),
    );
    // After the instance, because Pulumi deletes in levels: so it ends while the cluster does, and not before.
    new gcp.storage.BucketObject(
      `${name}-current`,
      { bucket: lake.bucket, name: `${release.prefix}/current`, content: release.digest },
      { parent: this, dependsOn: [instance] },
    );
    this.instanceName = instance.name;
    this.zone = plan.zone;
    this.serviceAccount = account.email;
    this.outputs = {
      dashboard: openCommand(),
      dashboardInstance: this.instanceName,
      dashboardZone: this.zone,
      dashboardDeadline: plan.lifetime.deadline,
    };
    this.registerOutputs({ instanceName: this.instanceName, zone: this.zone, serviceAccount: this.serviceAccount });
  }
}

/** What a plan is made of: all but what has to be made first. */
export type BigQueryDashboardPlanArgs = Omit<BigQueryDashboardArgs, "job" | "lake" | "network"> & {
  readonly network?: GcpSubnet | undefined;
};

type Plan = ReturnType<typeof dashboardPlan>;

/** The arguments, checked and with their defaults, and what they come to. */
function dashboardPlan(args: BigQueryDashboardPlanArgs, stands?: Duration) {
  const lifetime = args.lifetime ?? ({ deadline: "7 days" } as const);
  const deadline = deadlineSeconds(lifetime, ...BigQueryDashboard.deadlines);
  const type = args.machineType ?? "e2-small";
  const { family } = machineType(type);
  if (!FAMILIES.includes(family)) {
    throw invalid(
      "machineType",
      type,
      `the dashboard's disk and system are for families ${FAMILIES.join(", ")}; the smallest will do, "e2-small"`,
    );
  }
  const dailyScanMebibytes = scanMebibytes("dailyScan", args.dailyScan ?? "10 GB");
  const region = args.region === undefined ? googleRegion() : checkRegion("region", args.region);
  const zone = args.zone ?? `${region}-b`;
  if (!zone.startsWith(`${region}-`) || !/^[a-z]$/.test(zone.slice(region.length + 1))) {
    throw invalid("zone", zone, `expected a zone of ${region}, such as ${quote(`${region}-b`)}`);
  }
  const image = args.image ?? IMAGE;
  if (!isPlain(image)) {
    throw invalid("image", image, `expected the name of a container image, such as ${quote(IMAGE)}`);
  }
  if (args.network) checkGcpSubnet(args.network);
  const bill = bigQueryDashboardBill({
    region,
    machineType: type,
    diskGibibytes: DISK_GIBIBYTES,
    deadlineSeconds: deadline,
    dailyScanMebibytes,
    standsSeconds: stands === undefined ? deadline : seconds(stands, "stands"),
  });
  refuseAbove(lifetime.maxCost, bill);
  return { type, lifetime, deadline, zone, dailyScanMebibytes, image, bill };
}

function configOf(job: Job, lake: GcsLake, dailyScanMebibytes: number): pulumi.Output<DashboardConfig> {
  return pulumi.all([lake.uri, lake.dataset]).apply(
    ([uri, dataset]): DashboardConfig => ({
      job: dashboardJob(job),
      stack: pulumi.getStack(),
      engine: {
        kind: "bigquery",
        project: lake.project,
        location: lake.location,
        lake: uri,
        dataset,
        dailyScanBytes: dailyScanMebibytes * 2 ** 20,
        queryLimitBytes: lake.queryLimitMebibytes * 2 ** 20,
      },
      port: PORT,
      token: "bigquery",
    }),
  );
}

function serviceAccount(name: string, project: string, parent: pulumi.Resource): gcp.serviceaccount.Account {
  const { hex } = new random.RandomId(`${name}-id`, { byteLength: 4 }, { parent });
  return new gcp.serviceaccount.Account(
    `${name}-account`,
    {
      project,
      accountId: serviceAccountId(`${pulumi.getStack()}-${name}`, hex),
      displayName: ownedBy(name),
      description: ownedBy(`${name}: what its instance may do`),
    },
    { parent },
  );
}

/** Nobody reaches the instance but through Identity-Aware Proxy, whatever else the network lets in. */
function firewall(
  name: string,
  { network }: GcpSubnet,
  project: string,
  account: pulumi.Output<string>,
  parent: pulumi.Resource,
): readonly pulumi.Resource[] {
  const common = { project, network, direction: "INGRESS", targetServiceAccounts: [account] };
  return [
    new gcp.compute.Firewall(
      `${name}-tunnel`,
      {
        ...common,
        description: ownedBy(`${name}: tunnels of Identity-Aware Proxy`),
        priority: 800,
        sourceRanges: [TUNNELS],
        allows: [{ protocol: "tcp", ports: [String(PORT)] }],
      },
      { parent },
    ),
    new gcp.compute.Firewall(
      `${name}-closed`,
      {
        ...common,
        description: ownedBy(`${name}: nothing else`),
        priority: 900,
        sourceRanges: ["0.0.0.0/0"],
        denies: [{ protocol: "all" }],
      },
      { parent },
    ),
  ];
}

interface InstanceParts {
  readonly account: pulumi.Output<string>;
  /** Where the releases lie in the lake. */
  readonly prefix: string;
}

/** The system's image is named by its family, so a new one of it changes nothing that is there. */
function instanceArgs(
  { lake, network }: BigQueryDashboardArgs,
  { type, deadline, zone, image }: Plan,
  { account, prefix }: InstanceParts,
): gcp.compute.InstanceArgs {
  const labels = lakeLabels(lake.bucket);
  return {
    project: lake.project,
    zone,
    machineType: type,
    description: ownedBy("dashboard"),
    bootDisk: {
      autoDelete: true,
      initializeParams: {
        image: "projects/cos-cloud/global/images/family/cos-stable",
        size: DISK_GIBIBYTES,
        type: "pd-standard",
        labels,
      },
    },
    // Without accessConfigs it has no public address.
    networkInterfaces: [{ network: network.network, subnetwork: network.subnetwork }],
    serviceAccount: { email: account, scopes: ["cloud-platform"] },
    shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
    // Stopped and not deleted: what is gone can't be destroyed, says the provider. A stopped one costs its disk.
    scheduling: {
      maxRunDuration: { seconds: deadline },
      instanceTerminationAction: "STOP",
      automaticRestart: false,
    },
    allowStoppingForUpdate: true,
    deletionProtection: false,
    metadata: {
      "user-data": pulumi.output(lake.bucket).apply((bucket) => cloudConfig({ bucket, prefix, image, port: PORT })),
      "block-project-ssh-keys": "TRUE",
      "serial-port-enable": "FALSE",
      "google-logging-enabled": "true",
    },
    labels,
  };
}
