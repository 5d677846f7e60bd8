import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { jobKind, jobSettings, jobs } from "../assets/jobs/registry.ts";
import { outputs } from "../components/common/outputs.ts";
import { Scheduler, whyNotScheduler } from "../components/common/services/scheduler.ts";
import { stackProgram } from "../components/common/stack.ts";
import { Gpu, LocalDashboard, LocalFleet, LocalLake, Removal } from "../components/local/index.ts";
import { count, duration, flag, inSettingsOf, port, runId, size } from "../core/settings.ts";

const JOB = "nids";

const settings = z.object({
  job: z
    .string()
    .default(JOB)
    .describe(`Which job to run: ${Object.keys(jobs).join(", ")}`),
  runId: runId().default("1").describe("Names the run; only a new one computes again (`npx --no oneoff run` sets one)"),
  deadline: duration(...LocalFleet.deadlines)
    .default("30 minutes")
    .describe("The run is ended this long after its start, finished or not"),
  datanodes: count().default(3).describe("Datanodes of HDFS; fewer than before give up their blocks first"),
  replication: count().optional().describe("Copies of each block in HDFS; 2, or 1 with one datanode, when not set"),
  workers: count().default(2).describe("Spark workers"),
  workerCores: count().default(1).describe("Cores of each worker"),
  workerMemory: size().default("1.5 GB").describe("Memory of each worker, Java and Python together"),
  driverMemory: size().default("1 GB").describe("Memory of the job's driver"),
  gpu: z.enum(Gpu).default(Gpu.none).describe("Whether the workers offer Spark this machine's GPUs: none or all"),
  scheduler: z
    .enum(Scheduler, { error: ({ input }) => whyNotScheduler(String(input)) })
    .default(Scheduler.standalone)
    .describe("What shares the workers out among applications: standalone or yarn"),
  notebook: flag().default(true).describe("JupyterLab with PySpark on the fleet"),
  app: flag().default(false).describe("A page that scores network flows with the newest model of job nids"),
  lake: z.string().default(".oneoff/fleet-lake").describe("Folder of the results"),
  removal: z.enum(Removal).default("delete").describe("What `pulumi destroy` does with the results: delete or retain"),
  port: port().default(8765).describe("Port of the dashboard on 127.0.0.1; the next ones are the fleet's"),
});

export default stackProgram({
  about:
    "A GPU fleet rehearsed on this machine: HDFS, Spark's own cluster or YARN, and JupyterLab as processes, a dashboard",
  rents: false,
  // The job's own settings are for the job alone; the program sees those of the stack.
  settings: (given) => settings.extend(jobKind(given["oneoff:job"] ?? JOB).settings.shape) as typeof settings,
  run(settings) {
    const {
      runId,
      deadline,
      workers,
      driverMemory,
      datanodes,
      replication,
      gpu,
      scheduler,
      notebook,
      app,
      removal,
      port,
    } = settings;
    const job = jobKind(settings.job).create(settings);
    const fleetArgs = {
      lifetime: { deadline },
      runId,
      workers: { count: workers, cores: settings.workerCores, memory: settings.workerMemory },
      driverMemory,
      hdfs: { datanodes, ...(replication && { replication }) },
      gpu,
      scheduler,
      notebook,
      app,
      port: port + 1,
    };
    const folder = { path: resolve(pulumi.getRootDirectory(), settings.lake) };
    inSettings(() => LocalFleet.check({ ...fleetArgs, job, lake: folder }));

    const lake = new LocalLake("lake", { job, path: settings.lake, removal });
    const cluster = new LocalFleet("fleet", { ...fleetArgs, lake });
    const dashboard = new LocalDashboard("dashboard", { lake, port });
    return outputs({ cluster, dashboard });
  },
});

/** Errors name settings, and here stand the arguments of the components that are called otherwise. */
const inSettings = inSettingsOf(settings.extend(jobSettings.shape), {
  "job.reads": "input",
  "workers.count": "workers",
  "workers.cores": "workerCores",
  "workers.memory": "workerMemory",
  "hdfs.datanodes": "datanodes",
  "hdfs.replication": "replication",
});
