import { z } from "zod";
import { jobKind, jobSettings, jobs } from "../assets/jobs/registry.ts";
import { outputs } from "../components/common/outputs.ts";
import { stackProgram } from "../components/common/stack.ts";
import { LocalCluster, LocalDashboard, LocalLake, Removal } from "../components/local/index.ts";
import { count, duration, inSettingsOf, port, runId, size } from "../core/settings.ts";

const settings = z.object({
  job: z
    .string()
    .default("xo")
    .describe(`Which job to run: ${Object.keys(jobs).join(", ")}`),
  runId: runId().default("1").describe("Names the run; only a new one computes again (`npx --no oneoff run` sets one)"),
  deadline: duration(...LocalCluster.deadlines)
    .default("30 minutes")
    .describe("The run is ended this long after its start, finished or not"),
  cores: count().optional().describe("Cores that Spark uses; all of this machine when not set"),
  memory: size().default("2 GB").describe("Memory of Spark's Java virtual machine; Python workers come on top"),
  lake: z.string().default(".oneoff/lake").describe("Folder of the results"),
  removal: z.enum(Removal).default("delete").describe("What `pulumi destroy` does with the results: delete or retain"),
  port: port().default(8765).describe("Port of the dashboard on 127.0.0.1"),
});

export default stackProgram({
  about: "A job on this machine: real Spark, results in a folder, a dashboard on loopback",
  rents: false,
  // The job's own settings are for the job alone; the program sees those of the stack.
  settings: (given) => settings.extend(jobKind(given["oneoff:job"]).settings.shape) as typeof settings,
  run(settings) {
    const { runId, deadline, cores, memory, removal, port } = settings;
    const job = jobKind(settings.job).create(settings);
    const clusterArgs = { lifetime: { deadline }, runId, cores, memory };
    inSettings(() => LocalCluster.check({ ...clusterArgs, job }));

    const lake = new LocalLake("lake", { job, path: settings.lake, removal });
    const cluster = new LocalCluster("cluster", { ...clusterArgs, lake });
    const dashboard = new LocalDashboard("dashboard", { lake, port });
    return outputs({ cluster, dashboard });
  },
});

/** Errors name settings, and here stands the argument of the components that is called otherwise. */
const inSettings = inSettingsOf(settings.extend(jobSettings.shape), { "job.reads": "input" });
