import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { jobKind, jobSettings, jobs } from "../assets/jobs/registry.ts";
import {
  AthenaDashboard,
  ceiling,
  FleetFallback,
  GpuFleet,
  type GpuFleetArgs,
  Network,
  Reaper,
  Removal,
  refuseAbove,
  S3Lake,
} from "../components/aws/index.ts";
import { outputs } from "../components/common/outputs.ts";
import { stackProgram } from "../components/common/stack.ts";
import { seconds } from "../core/duration.ts";
import { UsageError } from "../core/errors.ts";
import { count, duration, flag, inSettingsOf, runId, size, texts } from "../core/settings.ts";

const JOB = "nids";
const FLEET = "fleet";

const settings = z.object({
  job: z
    .string()
    .default(JOB)
    .describe(`Which job to run: ${Object.keys(jobs).join(", ")}`),
  runId: runId().default("1").describe("Names the run; only a new one computes again (`npx --no oneoff run` sets one)"),
  deadline: duration(...GpuFleet.deadlines)
    .default("8 hours")
    .describe("The fleet ends this long after it was made, with all that is in HDFS"),
  idle: duration("10 minutes", "7 days").default("1 hour").describe("The workers go after so long without work"),
  idleOff: duration("10 minutes", "7 days")
    .optional()
    .describe(
      "So long after the workers went the other machines are stopped, their disks kept; they go on when not set",
    ),
  maxCost: z.coerce
    .number("expected USD above zero")
    .positive("expected USD above zero")
    .optional()
    .describe("USD: refused when all of it together can cost more"),
  gpu: z
    .string()
    .default("none")
    .describe("Models of GPU that workers may have, separated by commas, such as L4,A10G; none is a fleet without"),
  workers: count().default(2).describe("Machines that compute"),
  workerTypes: texts()
    .optional()
    .describe(
      "Instance types that will do for them, the best first; the two cheapest for each model of `gpu` when not set",
    ),
  spot: flag().default(false).describe("Rent the workers as spot instances; needs `spotFallback`"),
  spotFallback: z
    .enum(FleetFallback)
    .optional()
    .describe(
      "When there are no spot instances: on-demand (and its price), or fewer, which goes on with those that there are",
    ),
  spotWait: duration("5 minutes", "1 day")
    .default("10 minutes")
    .describe("How long spot instances are waited for before on-demand ones come in their place"),
  spotOnDemand: count().optional().describe("How many of the workers are on demand in any case; none when not set"),
  datanodes: count().default(3).describe("Data nodes of HDFS; fewer than before give up their blocks first"),
  replication: count().optional().describe("Copies of each block in HDFS; 2, or 1 with one data node, when not set"),
  disk: size().default("64 GB").describe("Disk for the blocks of each data node"),
  nodeType: z.string().default("m6i.large").describe("Instance type of head and data nodes, which are on demand"),
  scheduler: z
    .string()
    .default("standalone")
    .describe("What shares the workers out among applications: standalone, which is Spark's own master, or yarn"),
  capacity: z
    .string()
    .default("any")
    .describe("any: workers come one by one, as there is room; gang: all of them, or none stay"),
  gangWait: duration("5 minutes", "1 day")
    .default("10 minutes")
    .describe("How long a gang may take until all are there; then those that are there are given back"),
  power: z
    .string()
    .default("on")
    .describe(
      "Whether the machines run: on; off, which keeps disks and HDFS; or schedule, by `powerOn` and `powerOff`",
    ),
  powerOn: z.string().optional().describe("When they start, as cron has it, such as 0 8 * * 1-5; for schedule"),
  powerOff: z.string().optional().describe("When they are stopped, such as 0 19 * * *; for schedule"),
  timeZone: z.string().default("UTC").describe("Whose clock both go by, such as Europe/Berlin"),
  notebook: flag().default(true).describe("JupyterLab for each user, with PySpark on the fleet"),
  app: flag().default(false).describe("A page that scores network flows with the newest model of job nids"),
  users: z.string().optional().describe("Folder with a public key per user, `<user>.pub`; nobody when not set"),
  zones: count().default(2).describe("In how many zones workers may be"),
  packageIndex: z.string().optional().describe("Where Python packages come from; PyPI when not set"),
  maven: z.string().optional().describe("Where Hadoop comes from; Maven Central when not set"),
  bucket: z.string().optional().describe("Name of the lake's bucket; one is made up when not set"),
  removal: z.enum(Removal).default("delete").describe("What `pulumi destroy` does with the results: delete or retain"),
  queryLimit: size().default("10 GB").describe("A query that would read more is ended"),
  dashboardDeadline: duration(...AthenaDashboard.deadlines)
    .default("1 day")
    .describe("The dashboard's instance is ended this long after its launch"),
  dashboardType: z.string().default("t4g.small").describe("Instance type of the dashboard"),
  dailyScan: size().default("10 GB").describe("The most that the dashboard's queries may read in a day"),
});
type Settings = z.output<typeof settings>;

export default stackProgram({
  about: "A fleet on EC2 that a team shares: HDFS, Spark with or without GPUs, JupyterLab; results in S3, a dashboard",
  rents: true,
  // The job's own settings are for the job alone; the program sees those of the stack.
  settings: (given) => settings.extend(jobKind(given["oneoff:job"] ?? JOB).settings.shape) as typeof settings,
  run(settings) {
    const job = jobKind(settings.job).create(settings);
    const { bucket, removal, queryLimit, deadline, dashboardDeadline } = settings;
    const lakeArgs = { job, removal, queryLimit, ...(bucket && { bucket }) };
    const fleetArgs = fleetOf(settings);
    const dashboardArgs = {
      lifetime: { deadline: dashboardDeadline },
      instanceType: settings.dashboardType,
      dailyScan: settings.dailyScan,
    };
    // The bill comes first: it is refused before anything is made, and so is everything that it rests on.
    const stands = seconds(deadline) > seconds(dashboardDeadline) ? deadline : dashboardDeadline;
    const bill = inSettings(() => [
      ...GpuFleet.bill({ ...fleetArgs, job }, stands),
      ...AthenaDashboard.bill(dashboardArgs),
      ...S3Lake.bill(lakeArgs, "10 GB", stands),
    ]);
    inSettings(() => refuseAbove(settings.maxCost, bill));
    const say = `This can cost ${ceiling(bill).toFixed(2)} USD at most; "npx --no oneoff cost ${pulumi.getStack()}" shows what for`;
    pulumi.log.info(say);

    const reaper = new Reaper("reaper");
    const lake = new S3Lake("lake", lakeArgs);
    const cluster = new GpuFleet(FLEET, { ...fleetArgs, lake, reaper });
    // Of its own: nothing of the fleet leads to the internet, from where the dashboard installs itself.
    const network = new Network("network");
    const dashboard = new AthenaDashboard("dashboard", { ...dashboardArgs, lake, reaper, network, fleet: FLEET });
    return outputs({ cluster, dashboard, bill });
  },
});

/** Errors name settings, and here stand the arguments of the components that are called otherwise. */
const inSettings = inSettingsOf(settings.extend(jobSettings.shape), {
  "job.reads": "input",
  "lifetime.idle": "idle",
  "workers.count": "workers",
  "workers.types": "workerTypes",
  "workers.spot.fallback": "spotFallback",
  "workers.spot.onDemand": "spotOnDemand",
  "workers.spot.wait": "spotWait",
  "workers.spot": "spot",
  "hdfs.datanodes": "datanodes",
  "hdfs.replication": "replication",
  "hdfs.disk": "disk",
  nodes: "nodeType",
  "power.on": "powerOn",
  "power.off": "powerOff",
  "power.timeZone": "timeZone",
});

/** What the settings say of the fleet. */
function fleetOf(settings: Settings) {
  const { deadline, idle, idleOff, spot, spotFallback, spotOnDemand, users, replication, workerTypes } = settings;
  if (spot && !spotFallback) {
    throw new UsageError(
      'oneoff:spot is "true" and oneoff:spotFallback is not set: say what is to happen when there are no spot instances: pulumi config set oneoff:spotFallback on-demand (or fewer)',
    );
  }
  if (!spot && spotOnDemand !== undefined) {
    throw new UsageError(
      `oneoff:spotOnDemand is ${spotOnDemand} and oneoff:spot is not set: all workers are on demand then; set oneoff:spot to true, or take it away: pulumi config rm oneoff:spotOnDemand`,
    );
  }
  return {
    runId: settings.runId,
    lifetime: { deadline, idle },
    ...(idleOff && { idleOff }),
    gpu: settings.gpu,
    workers: {
      count: settings.workers,
      ...(workerTypes && { types: workerTypes }),
      ...(spot &&
        spotFallback && {
          spot: {
            fallback: spotFallback,
            wait: settings.spotWait,
            ...(spotOnDemand !== undefined && { onDemand: spotOnDemand }),
          },
        }),
    },
    hdfs: { datanodes: settings.datanodes, disk: settings.disk, ...(replication && { replication }) },
    nodes: settings.nodeType,
    scheduler: settings.scheduler,
    capacity: settings.capacity,
    gangWait: settings.gangWait,
    power: powerOf(settings),
    notebook: settings.notebook,
    app: settings.app,
    ...(users && { users: resolve(pulumi.getRootDirectory(), users) }),
    zones: settings.zones,
    ...(settings.packageIndex && { packageIndex: settings.packageIndex }),
    ...(settings.maven && { maven: settings.maven }),
  };
}

function powerOf({ power, powerOn, powerOff, timeZone }: Settings): GpuFleetArgs["power"] {
  if (power !== "schedule") return power;
  if (powerOn && powerOff) return { on: powerOn, off: powerOff, timeZone };
  const [missing, example] = powerOn ? ["powerOff", "0 19 * * *"] : ["powerOn", "0 8 * * 1-5"];
  throw new UsageError(
    `oneoff:power is "schedule" and oneoff:${missing} is not set: say when, as cron has it: pulumi config set oneoff:${missing} "${example}"`,
  );
}
