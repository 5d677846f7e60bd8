import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { jobFor } from "../../core/job.ts";
import { applyTransform } from "../common/transform.ts";
import { SWARM_DEADLINES, type SwarmClusterArgs, type SwarmPlan, type SwarmPlanArgs, swarmPlan } from "./args.ts";
import { config, type FilePlace, labels, password, type SwarmFile, secret } from "./files.ts";
import { gateway, type Page } from "./gateway.ts";
import { builtImage } from "./images.ts";
import { mongoParts } from "./mongo.ts";
import { eventsAddress, executorHeap, runArchive } from "./run.ts";
import { type Bind, type Service, type ServicePart, type ServicePlace, service } from "./service.ts";

const NOTEBOOKS = join(import.meta.dirname, "../../assets/notebooks");

/** Seconds in which all services must run. */
const CONVERGE_SECONDS = 600;

/** Memory limits in MiB of what doesn't compute, and of its Java heap. */
const MEMORY = { master: 320, history: 320, namenode: 384, datanode: 384, notebook: 1024 } as const;
const HEAP = "192m";

/**
 * Spark on Docker Swarm: master, workers and history server, with HDFS as scratch, JupyterLab and MongoDB if wanted. It
 * runs a job over a lake; the services stay until they are destroyed. The way in is a gateway on 127.0.0.1.
 */
export class SwarmCluster extends pulumi.ComponentResource {
  /** The shortest and the longest deadline there can be. */
  static readonly deadlines = SWARM_DEADLINES;
  /** Names the run. */
  readonly runId: string;
  /** Name of the service that runs the job, for `docker service logs`. */
  readonly service: pulumi.Output<string>;
  /** Where one log per step lies. */
  readonly logs: pulumi.Output<string>;
  /** Address of each page on this machine: "spark", and "history", "hdfs", "notebook", "mongo" where there are any. */
  readonly pages: Readonly<Record<string, pulumi.Output<string>>>;
  /** What JupyterLab asks for. Secret; undefined without `notebook`. */
  readonly notebookToken: pulumi.Output<string> | undefined;
  /** What mongo-express asks user "oneoff" for. Secret; undefined without `mongo`. */
  readonly mongoExpressPassword: pulumi.Output<string> | undefined;
  /** Name of the attachable network, for containers of your own. */
  readonly network: pulumi.Output<string>;

  /**
   * Looks at the arguments before anything is made.
   * @throws UsageError for what the constructor refuses.
   */
  static check(args: SwarmClusterArgs): void {
    checkedPlan({ ...args, job: jobFor(args) });
  }

  /**
   * @throws UsageError for what Docker, Spark or HDFS would refuse later, another job than the lake's, and when there is none;
   * nothing has been made then.
   */
  constructor(name: string, given: SwarmClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:SwarmCluster", name, {}, opts);
    const args = { ...given, job: jobFor(given) };
    const plan = checkedPlan(args);

    const spark = args.images?.spark ?? builtImage(name, "spark", args, this);
    const network = overlay(name, plan, args, this);
    const needs = args.lake instanceof pulumi.Resource ? [args.lake] : [];
    const place: ServicePlace = { name, plan, network, needs, transform: args.transform?.service, parent: this };
    const salt = password(`${name}-salt`, this);
    const files: FilePlace = { name, prefix: plan.prefix, salt, parent: this };
    const rpc = secret(files, "spark", password(`${name}-spark`, this));
    const notebookToken = args.notebook === false ? undefined : password(`${name}-notebook-token`, this);
    const mongo = args.mongo ? mongoParts(files, args.images ?? {}, plan.user) : undefined;

    const credentials = credentialsOf(files, args);
    const parts: ServicePart[] = [
      ...sparkParts(plan, spark, rpc, credentials),
      ...(plan.hdfs ? hdfsParts(plan.hdfs, args.images?.hdfs ?? builtImage(name, "hdfs", args, this)) : []),
      ...(mongo?.parts ?? []),
    ];
    if (notebookToken) {
      const token = secret(files, "notebook-token", notebookToken);
      const secrets = [rpc, token, ...(mongo ? [mongo.uri] : [])];
      parts.push(notebookPart(plan, spark, secrets, plan.folder === undefined ? [] : notebooks(files)));
    }
    const services = parts.map((part) => service(place, part));
    const running = new Services(`${name}-services`, services, { parent: this });

    const pages = pagesOf(plan, parts);
    gateway(
      name,
      { prefix: plan.prefix, image: spark, network, pages, transform: args.transform?.gateway },
      { parent: this, dependsOn: [running] },
    );
    const run = runService(place, files, args, plan, { image: spark, rpc, mongoUri: mongo?.address, running });

    this.runId = plan.runId;
    this.service = run.name;
    this.logs = pulumi.interpolate`${lakeAddress(args)}/_logs/${plan.runId}`;
    this.pages = Object.fromEntries(
      pages.map(({ name, published, path = "/" }) => [name, pulumi.output(`http://127.0.0.1:${published}${path}`)]),
    );
    this.notebookToken = notebookToken;
    this.mongoExpressPassword = mongo?.expressPassword;
    this.network = network.name;
    this.registerOutputs({ runId: this.runId, service: this.service, logs: this.logs });
  }
}

/** The plan, once it is known that what the run is sent is not too large. */
function checkedPlan(args: SwarmPlanArgs): SwarmPlan {
  const plan = swarmPlan(args);
  runArchive(args.job, plan, "");
  return plan;
}

/** Attachable, so that containers of the user's own can be put on it, and encrypted between the nodes. */
function overlay(name: string, { prefix }: SwarmPlan, args: SwarmClusterArgs, parent: pulumi.Resource) {
  const { encrypted = true, transform } = args;
  const network = {
    name: prefix,
    driver: "overlay",
    attachable: true,
    ...(encrypted && { options: { encrypted: "" } }),
    labels: labels(prefix),
  };
  // Docker adds options of its own, and a change of one would be a new network.
  return new docker.Network(
    ...applyTransform(transform?.network, `${name}-network`, network, { parent, ignoreChanges: ["options"] }),
  );
}

function sparkParts(
  plan: SwarmPlan,
  image: pulumi.Input<string>,
  rpc: SwarmFile,
  credentials: Credentials | undefined,
): readonly ServicePart[] {
  const { user, hdfs, workers } = plan;
  const common = { image, user, env: { SPARK_DAEMON_MEMORY: HEAP }, secrets: [rpc] };
  const lake = lakeBinds(plan);
  const master: ServicePart = { ...common, role: "master", args: ["master"], memoryMebibytes: MEMORY.master };
  const worker: ServicePart = {
    ...common,
    role: "worker",
    args: ["worker"],
    replicas: workers.count,
    memoryMebibytes: workers.memoryMebibytes,
    env: {
      ...common.env,
      SPARK_WORKER_CORES: String(workers.cores),
      SPARK_WORKER_MEMORY: `${executorHeap(plan)}m`,
      ...credentials?.env,
    },
    secrets: [rpc, ...(credentials ? [credentials.file] : [])],
    // With HDFS they write there; without it they write to the lake themselves.
    binds: [...readBinds(plan), ...(hdfs ? [] : lake)],
  };
  const history: ServicePart = {
    ...common,
    role: "history",
    args: ["history"],
    memoryMebibytes: MEMORY.history,
    env: { ...common.env, ...sparkEnv(plan) },
    binds: hdfs ? [] : lake,
  };
  return [master, worker, history].map(healthy);
}

/** What a driver of Spark and the history server must know of HDFS. */
const sparkEnv = (plan: SwarmPlan): Readonly<Record<string, string>> => ({
  ONEOFF_EVENTS: eventsAddress(plan),
  ...(plan.hdfs && { HDFS_REPLICATION: String(plan.hdfs.replication) }),
});

function hdfsParts(hdfs: NonNullable<SwarmPlan["hdfs"]>, image: pulumi.Input<string>): readonly ServicePart[] {
  const env = { HDFS_REPLICATION: String(hdfs.replication), HADOOP_HEAP: HEAP };
  const common = { image, env, scratch: ["/data"] };
  return [
    { ...common, role: "namenode", args: ["namenode"], memoryMebibytes: MEMORY.namenode },
    { ...common, role: "datanode", args: ["datanode"], memoryMebibytes: MEMORY.datanode, replicas: hdfs.datanodes },
  ].map(healthy);
}

/** Those of assets/notebooks that are for a Swarm; the image copies them to where they can be changed. */
const notebooks = (files: FilePlace): readonly SwarmFile[] =>
  ["analysis", "startup"].map((name) => {
    const data = readFileSync(join(NOTEBOOKS, `${name}.ipynb`)).toString("base64");
    return config(files, name, `/opt/oneoff/notebooks/${name}.ipynb`, data);
  });

function notebookPart(
  plan: SwarmPlan,
  image: pulumi.Input<string>,
  secrets: readonly SwarmFile[],
  configs: readonly SwarmFile[],
): ServicePart {
  const { folder, user } = plan;
  return healthy({
    role: "notebook",
    image,
    user,
    args: ["notebook"],
    memoryMebibytes: MEMORY.notebook,
    env: {
      ...sparkEnv(plan),
      // What Spark would ask for else is more than a small worker has.
      SPARK_EXECUTOR_CORES: String(plan.workers.cores),
      SPARK_EXECUTOR_MEMORY: `${executorHeap(plan)}m`,
      ...(plan.hdfs && { ONEOFF_HDFS: "hdfs://namenode:8020" }),
      // Beside the results, so that what is written there outlives the container.
      ...(folder && { ONEOFF_LAKE: folder, ONEOFF_NOTEBOOKS: `${folder}/_notebooks` }),
    },
    secrets,
    configs,
    binds: lakeBinds(plan),
  });
}

const healthy = (part: ServicePart): ServicePart => ({ ...part, health: ["/opt/oneoff/healthy", part.role] });

interface Credentials {
  readonly file: SwarmFile;
  readonly env: Readonly<Record<string, pulumi.Input<string>>>;
}

/** Each cloud's library looks at its own variable. */
function credentialsOf(files: FilePlace, { credentials, region }: SwarmClusterArgs): Credentials | undefined {
  if (credentials === undefined) return undefined;
  const file = secret(files, "credentials", credentials);
  const path = `/run/secrets/${file.path}`;
  const env = { AWS_SHARED_CREDENTIALS_FILE: path, GOOGLE_APPLICATION_CREDENTIALS: path };
  return { file, env: { ...env, ...regionEnv(region) } };
}

const regionEnv = (region: pulumi.Input<string> | undefined): Readonly<Record<string, pulumi.Input<string>>> =>
  region === undefined ? {} : { AWS_REGION: region };

interface RunNeeds {
  readonly image: pulumi.Input<string>;
  readonly rpc: SwarmFile;
  /** Where MongoDB is, with user and password. */
  readonly mongoUri: pulumi.Output<string> | undefined;
  /** Resource that is there once all services run. */
  readonly running: pulumi.Resource;
}

/**
 * The job, as a service that ends. Each run is a service of its own that stays as it was made, like the two files it is
 * given: a change of the job is for the next run. There are always two, or a change could take away one in use.
 */
function runService(
  place: ServicePlace,
  files: FilePlace,
  args: SwarmPlanArgs,
  plan: SwarmPlan,
  needs: RunNeeds,
): docker.Service {
  const { runId, user } = plan;
  const ours = { ...files, run: runId };
  const archive = pulumi.output(lakeAddress(args)).apply((lake) => runArchive(args.job, plan, lake));
  const part: ServicePart = {
    role: "run",
    serviceName: `run-${/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,14}[a-zA-Z0-9])?$/.test(runId) ? runId : digest(runId)}`,
    image: needs.image,
    user,
    args: ["run"],
    once: true,
    memoryMebibytes: plan.driverMebibytes,
    env: { ...sparkEnv(plan), ...regionEnv(args.region) },
    secrets: [needs.rpc, secret(ours, "run", runSecrets(args, plan, needs.mongoUri))],
    configs: [config(ours, "run", "/etc/oneoff/run.zip", archive)],
    binds: [...readBinds(plan), ...lakeBinds(plan)],
  };
  return service(place, part, { dependsOn: [needs.running], ignoreChanges: ["taskSpec", "labels"] }).resource;
}

/** The secrets that the job's steps name, and the lake's, by name, as JSON; run.py makes files of them. */
function runSecrets(
  { secrets, credentials }: SwarmClusterArgs,
  { jobSecrets }: SwarmPlan,
  mongoUri: pulumi.Input<string> | undefined,
): pulumi.Output<string> {
  const given: Readonly<Record<string, pulumi.Input<string>>> = {
    ...(mongoUri !== undefined && { "mongo-uri": mongoUri }),
    ...secrets,
  };
  const wanted = jobSecrets.map((name) => [name, given[name] as pulumi.Input<string>] as const);
  const all = { ...Object.fromEntries(wanted), ...(credentials !== undefined && { "lake-credentials": credentials }) };
  return pulumi.secret(pulumi.jsonStringify(all));
}

const lakeAddress = ({ lake }: SwarmClusterArgs): pulumi.Input<string> => ("path" in lake ? lake.path : lake.uri);

const lakeBinds = ({ folder, node }: SwarmPlan): readonly Bind[] =>
  folder === undefined ? [] : [{ path: folder, readOnly: false, on: node }];

const readBinds = ({ reads, readsOn }: SwarmPlan): readonly Bind[] =>
  reads.map((path) => ({ path, readOnly: true, on: readsOn }));

/** The pages there are, on ports that follow each other in a fixed order. */
function pagesOf({ port }: SwarmPlan, parts: readonly ServicePart[]): readonly Page[] {
  const all: readonly Page[] = [
    { name: "spark", role: "master", port: 8080, published: port },
    { name: "history", role: "history", port: 18080, published: port + 1 },
    { name: "hdfs", role: "namenode", port: 9870, published: port + 2 },
    { name: "notebook", role: "notebook", port: 8888, published: port + 3, path: "/lab" },
    { name: "mongo", role: "mongo-express", port: 8081, published: port + 4 },
  ];
  return all.filter(({ role }) => parts.some((part) => part.role === role));
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);

/** There once all services run; its error names those that don't, and why. */
class Services extends pulumi.CustomResource {
  constructor(name: string, services: readonly Service[], opts: pulumi.CustomResourceOptions) {
    const inputs = services.map(({ part, resource }) => ({
      id: resource.id,
      name: resource.name,
      replicas: part.replicas ?? 1,
      spec: resource.taskSpec.apply((spec) => digest(JSON.stringify(spec))),
    }));
    const args = { endpoint: endpoint(), services: inputs, timeoutSeconds: CONVERGE_SECONDS };
    super("oneoff-local:index:Services", name, args, opts);
  }
}

/** What the docker provider is told of where Docker is, by full key. */
function endpoint(): Readonly<Record<string, string>> {
  const config = new pulumi.Config("docker");
  return Object.fromEntries(
    ["context", "host", "certPath"].flatMap((key) => {
      const value = config.get(key);
      return value === undefined ? [] : [[`docker:${key}`, value] as const];
    }),
  );
}
