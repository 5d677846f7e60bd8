import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { jobKind, jobSettings, jobs } from "../assets/jobs/registry.ts";
import { outputs } from "../components/common/outputs.ts";
import { checkSecretSetting } from "../components/common/secret-setting.ts";
import { stackProgram } from "../components/common/stack.ts";
import {
  type FolderLake,
  LocalLake,
  type ObjectLake,
  Removal,
  SwarmCluster,
  SwarmDashboard,
} from "../components/docker/index.ts";
import { count, duration, flag, inSettingsOf, port, runId, size, texts } from "../core/settings.ts";
import { folderOf, isRemote } from "./docker/lake.ts";

const JOB = "london-power";

const image = (about: string) => z.string().optional().describe(`Image of ${about}`);

const settings = z.object({
  job: z
    .string()
    .default(JOB)
    .describe(`Which job to run: ${Object.keys(jobs).join(", ")}`),
  runId: runId().default("1").describe("Names the run; only a new one computes again (`npx --no oneoff run` sets one)"),
  deadline: duration(...SwarmCluster.deadlines)
    .default("12 hours")
    .describe("The run is ended this long after its start, finished or not"),
  workers: count().default(3).describe("Spark workers, spread over the Swarm's nodes"),
  workerCores: count().default(1).describe("Cores of each worker"),
  workerMemory: size().default("1.5 GB").describe("Memory of each worker, Java and Python together"),
  driverMemory: size().default("1 GB").describe("Memory of the job's driver"),
  hdfs: flag()
    .default(true)
    .describe("HDFS as scratch that all nodes share; without it the lake must be reached from all"),
  datanodes: count().default(1).describe("Datanodes of HDFS, spread over the nodes"),
  replication: count().optional().describe("Copies of each block in HDFS; 2, or 1 with one datanode, when not set"),
  notebook: flag().default(true).describe("JupyterLab with PySpark and the two notebooks"),
  mongo: flag().default(true).describe("MongoDB and mongo-express; the job writes there too"),
  reads: texts()
    .optional()
    .describe(
      "Files and folders of the nodes that the job reads beside its `input`, by absolute path, separated by commas",
    ),
  lake: z
    .string()
    .default(".oneoff/swarm-lake")
    .describe(
      "Folder of the results, on the node where the job's driver runs; or s3://BUCKET/PREFIX or gs://BUCKET/PREFIX",
    ),
  credentials: z
    .string()
    .optional()
    .describe(
      "Secret. Opens s3:// or gs://: the text of an AWS credentials file, or of a Google service account's key",
    ),
  region: z.string().optional().describe("AWS region of what is on S3"),
  removal: z
    .enum(Removal)
    .default("delete")
    .describe("What `pulumi destroy` does with a folder of results: delete or retain"),
  user: z
    .string()
    .optional()
    .describe("Numbers of the user and group that own the lake's folder, 1000:1000; who runs Pulumi when not set"),
  node: z
    .string()
    .default("node.role==manager")
    .describe("Where the lake's folder is: a placement constraint of what needs it"),
  readsOn: z
    .string()
    .optional()
    .describe("Where `reads` are: a placement constraint of the workers; `node` when not set"),
  encrypted: flag()
    .default(true)
    .describe("Encrypt what the containers send each other from node to node; some kernels can't, such as WSL's"),
  registry: z
    .string()
    .optional()
    .describe("Where the images are pushed, for a Swarm of several machines: registry.example.com/team"),
  baseImage: z
    .string()
    .optional()
    .describe("Debian 12 image that ours are built on; the official one by digest when not set"),
  sparkImage: image("Spark, JupyterLab and the gateway; built from assets/images/spark when not set"),
  hdfsImage: image("HDFS; built from assets/images/hdfs when not set"),
  mongoImage: image("MongoDB; the official image by digest when not set"),
  mongoExpressImage: image("mongo-express; the official image by digest when not set"),
  dashboardImage: image("the dashboard; built from assets/images/dashboard when not set"),
  port: port().default(8765).describe("Port of the dashboard on 127.0.0.1; the next five are the cluster's pages"),
});

type Settings = z.output<typeof settings>;

export default stackProgram({
  about:
    "A job on Docker Swarm: Spark, HDFS, JupyterLab and MongoDB on machines of your own, results in a folder, a dashboard",
  rents: false,
  // The job's own settings are for the job alone; the program sees those of the stack.
  settings: (given) => settings.extend(jobKind(given["oneoff:job"] ?? JOB).settings.shape) as typeof settings,
  run(settings) {
    const job = jobKind(settings.job).create(settings);
    const { removal, port, registry, mongo, notebook } = settings;
    const buildArgs: Record<string, string> = settings.baseImage === undefined ? {} : { BASE: settings.baseImage };
    checkSecretSetting("oneoff:credentials", settings.credentials, " < FILE");
    const lake = { ...lakeOf(settings), job };
    const builds = { ...(registry && { registry }), buildArgs };
    const clusterArgs = { ...clusterOf(settings), ...builds, lake, mongo, notebook, port: port + 1 };
    inSettings(() => SwarmCluster.check(clusterArgs));

    const made = "path" in lake && !isRemote() ? new LocalLake("lake", { job, path: lake.path, removal }) : lake;
    const cluster = new SwarmCluster("cluster", { ...clusterArgs, lake: made });
    const dashboard =
      "path" in made
        ? new SwarmDashboard("dashboard", {
            ...builds,
            lake: made,
            port,
            user: settings.user,
            image: settings.dashboardImage,
          })
        : undefined;
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

/** What the settings say of the cluster. */
function clusterOf(settings: Settings) {
  const { runId, deadline, workers, driverMemory, datanodes, replication, user, reads, credentials, region } = settings;
  return {
    runId,
    lifetime: { deadline },
    workers: { count: workers, cores: settings.workerCores, memory: settings.workerMemory },
    driverMemory,
    hdfs: settings.hdfs && { datanodes, ...(replication && { replication }) },
    ...(reads && { reads }),
    node: settings.node,
    ...(settings.readsOn && { readsOn: settings.readsOn }),
    encrypted: settings.encrypted,
    images: {
      spark: settings.sparkImage,
      hdfs: settings.hdfsImage,
      mongo: settings.mongoImage,
      mongoExpress: settings.mongoExpressImage,
    },
    ...(user && { user }),
    ...(credentials && { credentials: pulumi.secret(credentials) }),
    ...(region && { region }),
  };
}

function lakeOf(settings: Settings): FolderLake | ObjectLake {
  if (/^(s3|gs):\/\//.test(settings.lake)) return { uri: settings.lake.replace(/\/+$/, "") };
  return folderOf(settings, "; or take s3:// or gs://");
}
