import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { jobKind, jobSettings, jobs } from "../assets/jobs/registry.ts";
import {
  AthenaDashboard,
  ceiling,
  EmrCluster,
  Network,
  Reaper,
  Removal,
  refuseAbove,
  S3Lake,
  SpotFallback,
  Stage,
  type Subnets,
} from "../components/aws/index.ts";
import { outputs } from "../components/common/outputs.ts";
import { stackProgram } from "../components/common/stack.ts";
import { seconds } from "../core/duration.ts";
import { arg, refusal, UsageError } from "../core/errors.ts";
import { count, duration, flag, inSettingsOf, runId, size, texts } from "../core/settings.ts";

const settings = z.object({
  job: z
    .string()
    .default("xo")
    .describe(`Which job to run: ${Object.keys(jobs).join(", ")}`),
  runId: runId().default("1").describe("Names the run; only a new one rents again (`npx --no oneoff run` sets one)"),
  deadline: duration(...EmrCluster.deadlines)
    .default("90 minutes")
    .describe("The cluster is ended this long after its launch, finished or not"),
  maxCost: z.coerce
    .number("expected USD above zero")
    .positive("expected USD above zero")
    .optional()
    .describe("USD: refused when all of it together can cost more"),
  workers: count().default(2).describe("Machines beside the primary node"),
  workerTypes: texts()
    .default(["m7g.xlarge", "m6g.xlarge"])
    .describe("Instance types that will do for them, separated by commas, of one architecture"),
  primaryType: z.string().default("m6g.xlarge").describe("Instance type of the primary node"),
  spot: flag().default(false).describe("Rent the workers as spot instances; needs `spotFallback`"),
  spotFallback: z
    .enum(SpotFallback)
    .optional()
    .describe("When there are no spot instances: on-demand (and its price) or terminate"),
  executors: count().optional().describe("Spark's executors; EMR decides when not set"),
  executorCores: count().default(4).describe("Cores of each executor, where `executors` is set"),
  executorMemory: size().default("4 GB").describe("Memory of each executor, where `executors` is set"),
  driverMemory: size().optional().describe("Memory of the driver; EMR decides when not set"),
  disk: size().default("64 GB").describe("Disk of each machine of the cluster: HDFS, shuffles, logs"),
  stage: z
    .enum(Stage)
    .default("lake")
    .describe("Where steps write: lake; or hdfs, for steps that write through Spark (those of xo don't)"),
  reads: texts().optional().describe("Addresses in S3 beside the lake that the steps read, separated by commas"),
  packageIndex: z.string().optional().describe("Where the job's wheels come from; PyPI when not set"),
  releaseLabel: z.string().default("emr-7.10.0").describe("EMR release"),
  keepAlive: flag().default(false).describe("Keep the cluster for interactive use, with JupyterLab; needs `idle`"),
  idle: duration("1 minute", "7 days")
    .optional()
    .describe("A cluster that is kept alive ends after so long without work"),
  linger: duration("1 minute", "7 days")
    .optional()
    .describe("Keep a finished or failed cluster so long, to look at it"),
  vpc: z.string().optional().describe("Id of a VPC of yours, with `subnets`; one is made when not set"),
  subnets: texts().optional().describe("Ids of subnets of `vpc`, separated by commas"),
  privateSubnets: flag().default(false).describe("Whether `subnets` have no route to an internet gateway"),
  sshKey: z.string().optional().describe("Name of an EC2 key pair for SSH to the primary node; needs `sshCidr`"),
  sshCidr: z.string().optional().describe("Addresses that may connect by SSH, such as 203.0.113.7/32"),
  cancelPolicy: flag()
    .default(false)
    .describe("Make an IAM policy for teammates who may cancel runs, and nothing else"),
  bucket: z.string().optional().describe("Name of the lake's bucket; one is made up when not set"),
  removal: z.enum(Removal).default("delete").describe("What `pulumi destroy` does with the results: delete or retain"),
  queryLimit: size().default("10 GB").describe("A query that would read more is ended"),
  dashboardDeadline: duration(...AthenaDashboard.deadlines)
    .default("7 days")
    .describe("The dashboard's instance is ended this long after its launch"),
  dashboardType: z.string().default("t4g.small").describe("Instance type of the dashboard"),
  dailyScan: size().default("10 GB").describe("The most that the dashboard's queries may read in a day"),
});
type Settings = z.output<typeof settings>;

export default stackProgram({
  about: "A job on a throwaway EMR cluster: results in S3, a small dashboard that queries them through Athena",
  rents: true,
  // The job's own settings are for the job alone; the program sees those of the stack.
  settings: (given) => settings.extend(jobKind(given["oneoff:job"]).settings.shape) as typeof settings,
  run(settings) {
    const job = jobKind(settings.job).create(settings);
    const { bucket, removal, queryLimit, deadline, dashboardDeadline } = settings;
    const own = subnetsOf(settings);
    const lakeArgs = { job, removal, queryLimit, ...(bucket && { bucket }) };
    const clusterArgs = clusterOf(settings);
    const dashboardArgs = {
      lifetime: { deadline: dashboardDeadline },
      instanceType: settings.dashboardType,
      dailyScan: settings.dailyScan,
    };
    // The bill comes first: it is refused before anything is made, and so is everything that it rests on.
    const stands = seconds(deadline) > seconds(dashboardDeadline) ? deadline : dashboardDeadline;
    const bill = inSettings(() => [
      ...EmrCluster.bill({ ...clusterArgs, job, network: own }, stands),
      ...AthenaDashboard.bill(dashboardArgs),
      ...S3Lake.bill(lakeArgs, "10 GB", stands),
      ...Reaper.bill(stands),
    ]);
    inSettings(() => refuseAbove(settings.maxCost, bill));
    const say = `This can cost ${ceiling(bill).toFixed(2)} USD at most; "npx --no oneoff cost ${pulumi.getStack()}" shows what for`;
    pulumi.log.info(say);

    const reaper = new Reaper("reaper");
    const network = own ?? new Network("network");
    const lake = new S3Lake("lake", lakeArgs);
    const cluster = new EmrCluster("cluster", { ...clusterArgs, lake, reaper, network });
    const dashboard = new AthenaDashboard("dashboard", { ...dashboardArgs, lake, reaper, network });
    return outputs({ cluster, dashboard, bill });
  },
});

/** Errors name settings, and here stand the arguments of the components that are called otherwise. */
const inSettings = inSettingsOf(settings.extend(jobSettings.shape), {
  "job.reads": "input",
  "lifetime.idle": "idle",
  "workers.count": "workers",
  "workers.types": "workerTypes",
  "executors.count": "executors",
  "executors.cores": "executorCores",
  "executors.memory": "executorMemory",
  "ssh.cidr": "sshCidr",
  primary: "primaryType",
});

/** What the settings say of the cluster. */
function clusterOf(settings: Settings) {
  const { deadline, idle, executors, spot, spotFallback, sshKey, sshCidr } = settings;
  if (spot && !spotFallback) {
    throw new UsageError(
      'oneoff:spot is "true" and oneoff:spotFallback is not set: say what is to happen when there are no spot instances: pulumi config set oneoff:spotFallback on-demand (or terminate)',
    );
  }
  if (sshCidr && !sshKey) {
    throw refusal`${arg("sshKey", "oneoff:sshKey")} is not set: name an EC2 key pair, or leave ssh out: Session Manager needs none`;
  }
  return {
    runId: settings.runId,
    lifetime: { deadline, ...(idle && { idle }) },
    primary: settings.primaryType,
    workers: {
      count: settings.workers,
      types: settings.workerTypes,
      ...(spot && spotFallback && { spot: { fallback: spotFallback } }),
    },
    ...(executors && {
      executors: { count: executors, cores: settings.executorCores, memory: settings.executorMemory },
    }),
    ...(settings.driverMemory && { driverMemory: settings.driverMemory }),
    disk: settings.disk,
    stage: settings.stage,
    ...(settings.reads && { reads: settings.reads }),
    ...(settings.packageIndex && { packageIndex: settings.packageIndex }),
    releaseLabel: settings.releaseLabel,
    keepAlive: settings.keepAlive,
    cancelPolicy: settings.cancelPolicy,
    ...(settings.linger && { linger: settings.linger }),
    ...(sshKey && { ssh: { keyName: sshKey, cidr: sshCidr ?? "" } }),
  };
}

/** The user's own subnets; undefined where the stack makes its own. */
function subnetsOf({ vpc, subnets, privateSubnets }: Settings): Subnets | undefined {
  if (!vpc && !subnets) return undefined;
  if (!vpc) {
    throw new UsageError("oneoff:subnets is set and oneoff:vpc is not: give the VPC that the subnets are in");
  }
  if (!subnets) {
    throw new UsageError("oneoff:vpc is set and oneoff:subnets is not: give at least one, or set neither");
  }
  return { vpcId: vpc, subnetIds: subnets, isPrivate: privateSubnets };
}
