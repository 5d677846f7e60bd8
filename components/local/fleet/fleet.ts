import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { jobFor } from "../../../core/job/same.ts";
import type { ServiceFile } from "../../../core/service.ts";
import type { CommandOutputs } from "../../common/outputs.ts";
import { runOrigin } from "../../common/run-origin.ts";
import { appService, MODELS } from "../../common/services/app.ts";
import { HDFS_EVENTS, hdfsServices } from "../../common/services/hdfs.ts";
import { notebookService } from "../../common/services/notebook.ts";
import { DAEMONS, Scheduler } from "../../common/services/scheduler.ts";
import { eventsEnv, sparkServices } from "../../common/services/spark.ts";
import { applyTransform } from "../../common/transform.ts";
import { Process, type ProcessArgs } from "../process.ts";
import { type LocalService, type Processes, type ProcessPlace, renderProcesses } from "../processes.ts";
import { LOCAL_DEADLINES, LocalRun, type RunArgs } from "../run.ts";
import { Secret } from "../secret.ts";
import { Software } from "../software.ts";
import { type FleetPlan, type FleetPlanArgs, fleetPlan, Gpu, type LocalFleetArgs } from "./args.ts";
import { DataNodes } from "./data-nodes.ts";
import { portsAlone, SPARK, sharingConf, sharingServices, sparkOf, YARN } from "./scheduler.ts";

const ASSETS = join(import.meta.dirname, "../../../assets");
const HDFS = join(ASSETS, "images/hdfs");
const SCORING = join(ASSETS, "scoring");
const JUPYTER = join(ASSETS, "nodes/emr/jupyter/requirements.txt");

/**
 * A fleet as processes of this machine: HDFS, Spark's standalone cluster or YARN, and JupyterLab, by the scripts that rented
 * machines start too. It runs a job over a local lake; the processes stay until they are destroyed. All listens on 127.0.0.1.
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
  /** Address of each page: "spark", or "yarn" with that `scheduler`, "history", "hdfs", "jupyter" with `notebook`, and "app" with `app`. */
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
    const isYarn = plan.scheduler === Scheduler.yarn;
    const yarn = isYarn
      ? new Software(`${name}-yarn`, { name: "yarn", lock: join(YARN, "jars.txt") }, { parent: this })
      : undefined;
    const rpc = isYarn ? undefined : new Secret(`${name}-spark`, { parent: this });
    const token = plan.notebook ? new Secret(`${name}-notebook-token`, { parent: this }) : undefined;

    const env = { ONEOFF_PYTHON: python, ...(isYarn && { ONEOFF_YARN: YARN }) };
    const place: ProcessPlace = {
      lake,
      port: plan.port,
      software: {
        hdfs: { folder: HDFS, env: { HADOOP_HOME: hadoop.folder } },
        spark: { folder: SPARK, env },
        ...(yarn && { yarn: { folder: YARN, env: { HADOOP_HOME: yarn.folder, ONEOFF_PYTHON: python } } }),
        ...(scoring && {
          scoring: {
            folder: SPARK,
            env: { ONEOFF_PYTHON: python, ONEOFF_SCORING: SCORING, ONEOFF_SCORING_PACKAGES: scoring.folder },
          },
        }),
        ...(jupyter && { jupyter: { folder: SPARK, env: { ...env, ONEOFF_JUPYTER: jupyter.folder } } }),
      },
    };
    const rendered = renderFleet(plan, place, rpc?.value, token?.value);
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
      spark: sparkOf(plan, rendered.address),
      ...(rpc && { sparkSecret: pulumi.secret(rpc.value) }),
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

/** As processes. What notebooks are told of where the others are is known once those have their ports. */
function renderFleet(
  plan: FleetPlan,
  place: ProcessPlace,
  rpc: pulumi.Output<string> | undefined,
  token: pulumi.Output<string> | undefined,
): Processes {
  const render = (conf?: Readonly<Record<string, string>>) =>
    renderProcesses(servicesOf(plan, place.lake, rpc, token, conf), place);
  const conf = sharingConf(plan, render().address);
  return render(conf);
}

/** The services, in the order of their ports. */
function servicesOf(
  plan: FleetPlan,
  lake: string,
  rpc: pulumi.Output<string> | undefined,
  token: pulumi.Output<string> | undefined,
  conf: Readonly<Record<string, string>> | undefined,
): readonly LocalService[] {
  const { workers, hdfs } = plan;
  const secret = (name: string, content: pulumi.Input<string>): ServiceFile<pulumi.Input<string>> => ({
    name,
    path: `/run/secrets/${name}`,
    content,
    isSecret: true,
  });
  const spark = rpc && secret("spark", rpc);
  const events = eventsEnv(HDFS_EVENTS, hdfs.replication);
  const notebook = notebookService(
    { workers, events, hdfs: true, folder: lake, conf, notebooks: ["fleet", "gpu"] },
    "jupyter",
    [...(spark ? [spark] : []), ...(token ? [secret("notebook-token", token)] : [])],
  ) as LocalService;
  const app = appService({ model: `${lake}/${MODELS}`, folder: lake }, "scoring") as LocalService;
  // Each keeps its ports, whichever of them there are.
  return [
    ...(hdfsServices(hdfs, "hdfs") as readonly LocalService[]),
    ...sharingServices(plan, Scheduler.standalone, spark),
    sparkServices(workers, "spark", spark, events).history as LocalService,
    token ? notebook : portsAlone(notebook),
    plan.app ? app : portsAlone(app),
    ...sharingServices(plan, Scheduler.yarn, spark),
  ];
}

/** Each after what it needs; returns what a run needs. */
function startInOrder(
  name: string,
  { processes, address }: Processes,
  { hdfs, run, gpu, scheduler }: FleetPlan,
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
  const manager = start(one(DAEMONS[scheduler].manager));
  const looks = gpu === Gpu.all && { preflight: [join(SPARK, "gpus")] };
  const workers = of(DAEMONS[scheduler].worker).map((worker) => start({ ...worker, ...looks }, manager));
  start(one("history"), ...datanodes);
  for (const notebook of of("notebook")) start(notebook, manager);
  for (const app of of("app")) start(app);
  return [...datanodes, ...workers];
}
