import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { jobFor } from "../../../core/job/same.ts";
import type { ServiceFile } from "../../../core/service.ts";
import type { CommandOutputs } from "../../common/outputs.ts";
import { runOrigin } from "../../common/run-origin.ts";
import { appService } from "../../common/services/app.ts";
import { HDFS_EVENTS, hdfsServices } from "../../common/services/hdfs.ts";
import { notebookService } from "../../common/services/notebook.ts";
import { eventsEnv, executorConf, sparkServices } from "../../common/services/spark.ts";
import { applyTransform } from "../../common/transform.ts";
import { Process, type ProcessArgs } from "../process.ts";
import { type LocalService, type Processes, renderProcesses } from "../processes.ts";
import { LOCAL_DEADLINES, LocalRun, type RunArgs } from "../run.ts";
import { Secret } from "../secret.ts";
import { Software } from "../software.ts";
import { type FleetPlan, type FleetPlanArgs, fleetPlan, Gpu, type LocalFleetArgs, MODELS } from "./args.ts";
import { DataNodes } from "./data-nodes.ts";

const ASSETS = join(import.meta.dirname, "../../../assets");
const HDFS = join(ASSETS, "images/hdfs");
const SPARK = join(ASSETS, "images/spark");
const SCORING = join(ASSETS, "scoring");
const JUPYTER = join(ASSETS, "nodes/emr/jupyter/requirements.txt");

/**
 * A fleet as processes of this machine: HDFS, Spark's standalone cluster and JupyterLab, by the scripts that rented machines
 * start too. It runs a job over a local lake; the processes stay until they are destroyed. All listens on 127.0.0.1.
 */
export class LocalFleet extends pulumi.ComponentResource {
  /** The shortest and the longest deadline there can be. */
  static readonly deadlines = LOCAL_DEADLINES;
  /** Names the run. */
  readonly runId: string;
  /** "running", "succeeded", "failed" or "cancelled": what it was when Pulumi looked last. `pulumi refresh` looks again. */
  readonly state: pulumi.Output<string>;
  /** Folder with one log per step. */
  readonly logs: pulumi.Output<string>;
  /** Address of each page: "spark", "history", "hdfs", "jupyter" with `notebook`, and "app" with `app`. */
  readonly pages: Readonly<Record<string, string>>;
  /** What JupyterLab asks for. Secret; undefined without `notebook`. */
  readonly notebookToken: pulumi.Output<string> | undefined;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * Looks at the arguments before anything is made.
   * @throws UsageError for what the constructor refuses.
   */
  static check(args: FleetPlanArgs): void {
    fleetPlan(args);
  }

  /**
   * @throws UsageError for what HDFS or Spark would refuse later, a run id or deadline out of range, a missing secret, a file or
   * folder of the job's `reads` that isn't there, and another job than the lake's; nothing has been made then.
   */
  constructor(name: string, args: LocalFleetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:LocalFleet", name, {}, opts);
    const job = jobFor(args);
    const plan = fleetPlan({ ...args, job });
    const { python } = plan.run;
    const lake = args.lake.path;

    const hadoop = new Software(`${name}-hadoop`, { name: "hadoop", lock: join(HDFS, "jars.txt") }, { parent: this });
    const jupyter = plan.notebook
      ? new Software(`${name}-jupyterlab`, { name: "jupyterlab", lock: JUPYTER, python }, { parent: this })
      : undefined;
    const lock = join(SCORING, "requirements.txt");
    const scoring = plan.app
      ? new Software(`${name}-scoring`, { name: "scoring", lock, python }, { parent: this })
      : undefined;
    const rpc = new Secret(`${name}-spark`, { parent: this });
    const token = plan.notebook ? new Secret(`${name}-notebook-token`, { parent: this }) : undefined;

    const rendered = renderProcesses(servicesOf(plan, lake, rpc.value, token?.value), {
      lake,
      port: plan.port,
      software: {
        hdfs: { folder: HDFS, env: { HADOOP_HOME: hadoop.folder } },
        spark: { folder: SPARK, env: { ONEOFF_PYTHON: python } },
        ...(scoring && {
          scoring: {
            folder: SPARK,
            env: { ONEOFF_PYTHON: python, ONEOFF_SCORING: SCORING, ONEOFF_SCORING_PACKAGES: scoring.folder },
          },
        }),
        ...(jupyter && { jupyter: { folder: SPARK, env: { ONEOFF_PYTHON: python, ONEOFF_JUPYTER: jupyter.folder } } }),
      },
    });
    const start = (one: ProcessArgs, ...needs: readonly pulumi.Resource[]) => {
      const options = { parent: this, dependsOn: [args.lake, ...needs] };
      return new Process(...applyTransform(args.transform?.process, `${name}-${one.name}`, one, options));
    };
    const running = startInOrder(name, rendered, plan, lake, start, this);

    const runArgs: RunArgs = {
      ...plan.run,
      lake,
      origin: runOrigin(plan.run.job),
      cores: plan.workers.count * plan.workers.cores,
      memoryMebibytes: Math.round(plan.driverMebibytes * 0.5), // its Python has the rest
      spark: {
        master: rendered.address("master", "rpc"),
        page: rendered.address("master", "http"),
        webhdfs: rendered.address("namenode", "http"),
        conf: confOf(plan, rendered),
      },
      sparkSecret: pulumi.secret(rpc.value),
    };
    const options = { parent: this, dependsOn: [...running] };
    const run = new LocalRun(...applyTransform(args.transform?.run, `${name}-run`, runArgs, options));

    const { notebook, ...pages } = rendered.pages;
    this.runId = plan.run.run;
    this.state = run.state;
    this.logs = run.logs;
    this.pages = { ...pages, ...(notebook !== undefined && { jupyter: notebook }) };
    this.notebookToken = token?.value;
    this.outputs = {
      cluster: "local-fleet",
      run: this.runId,
      lake: args.lake.uri,
      logs: this.logs,
      ...this.pages,
      ...(token && { notebookToken: token.value }),
    };
    this.registerOutputs({ runId: this.runId, state: this.state, logs: this.logs });
  }
}

/** The services, in the order of their ports. */
function servicesOf(
  plan: FleetPlan,
  lake: string,
  rpc: pulumi.Output<string>,
  token: pulumi.Output<string> | undefined,
): readonly LocalService[] {
  const { workers, hdfs, gpu } = plan;
  const secret = (name: string, content: pulumi.Input<string>): ServiceFile<pulumi.Input<string>> => ({
    name,
    path: `/run/secrets/${name}`,
    content,
    isSecret: true,
  });
  const spark = secret("spark", rpc);
  const events = eventsEnv(HDFS_EVENTS, hdfs.replication);
  const { master, worker, history } = sparkServices<pulumi.Input<string>>(workers, "spark", spark, events);
  const gpus = { ONEOFF_GPU: gpu, ONEOFF_GPU_SHARES: String(workers.count) };
  const services = [
    ...hdfsServices(hdfs, "hdfs"),
    master,
    { ...worker, env: { ...worker.env, ...(gpu === Gpu.all && gpus) } },
    history,
    ...(token
      ? [
          notebookService({ workers, events, hdfs: true, folder: lake, notebooks: ["fleet", "gpu"] }, "jupyter", [
            spark,
            secret("notebook-token", token),
          ]),
        ]
      : [NO_NOTEBOOK]),
    ...(plan.app ? [appService({ model: `${lake}/${MODELS}`, folder: lake }, "scoring")] : []),
  ];
  return services as readonly LocalService[];
}

/** Without it, the ports behind its own stay where they are. */
const NO_NOTEBOOK: LocalService = {
  name: "notebook",
  image: "jupyter",
  replicas: 0,
  listens: { http: 8888 },
  memoryMebibytes: 0,
};

/** Each after what it needs; returns what a run needs. */
function startInOrder(
  name: string,
  { processes, address }: Processes,
  { hdfs, run, gpu }: FleetPlan,
  lake: string,
  start: (one: ProcessArgs, ...needs: readonly pulumi.Resource[]) => Process,
  parent: pulumi.Resource,
): readonly pulumi.Resource[] {
  const of = (service: string) => processes.filter((one) => one.name.replace(/-\d+$/, "") === service);
  const one = (service: string) => of(service)[0] as ProcessArgs;
  const namenode = start(one("namenode"));
  const members = {
    lake,
    namenode: "namenode",
    http: address("namenode", "http"),
    entrypoint: join(HDFS, "entrypoint"),
    nodes: of("datanode").map(({ name }) => ({ name, address: address(name, "data") })),
    replication: hdfs.replication,
    python: run.python,
  };
  const belong = new DataNodes(`${name}-datanodes`, members, { parent, dependsOn: [namenode] });
  const datanodes = of("datanode").map((datanode) => start(datanode, belong));
  const master = start(one("master"));
  const looks = gpu === Gpu.all && { preflight: [join(SPARK, "gpus")] };
  const workers = of("worker").map((worker) => start({ ...worker, ...looks }, master));
  start(one("history"), ...datanodes);
  for (const notebook of of("notebook")) start(notebook, master);
  for (const app of of("app")) start(app);
  return [...datanodes, ...workers];
}

/** Spark's properties that every step has. */
function confOf({ workers, hdfs, gpu }: FleetPlan, { address }: Processes): Readonly<Record<string, string>> {
  const defaults = readFileSync(join(SPARK, "spark-defaults.conf"), "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([name]) => /^spark\.(authenticate|hadoop\.|ui\.)/.test(name ?? ""));
  const events = HDFS_EVENTS.replace("namenode:8020", address("namenode", "rpc"));
  return {
    ...Object.fromEntries(defaults),
    ...executorConf(workers),
    "spark.eventLog.enabled": "true",
    "spark.eventLog.dir": events,
    "spark.hadoop.dfs.replication": String(hdfs.replication),
    // An executor has one GPU, which the tasks that it runs at a time share.
    ...(gpu === Gpu.all && {
      "spark.executor.resource.gpu.amount": "1",
      "spark.task.resource.gpu.amount": String(1 / workers.cores),
    }),
  };
}
