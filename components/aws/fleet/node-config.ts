import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { checkPlain, fill } from "../../../assets/template.ts";
import { NodeRole } from "../../../core/node-role.ts";
import type { Service } from "../../../core/service.ts";
import { HDFS_EVENTS, hdfsServices } from "../../common/services/hdfs.ts";
import { eventsEnv, executorConf, type SparkWorkers, sparkServices } from "../../common/services/spark.ts";
import { instanceType } from "../prices.ts";
import { APP_PORT, appUnit } from "./app.ts";
import type { FleetPlan } from "./args.ts";
import { gpuMachine } from "./gpu.ts";
import { agentUnit, homeOf, notebookUnit, runUnit, serviceUnit, unitName } from "./units.ts";

/** What a machine is told of itself, as JSON: assets/fleet/node_config.py reads it, and refuses what isn't in it. */
export interface NodeConfig {
  readonly fleet: string;
  readonly role: NodeRole;
  /** What it is called; null: as its instance, since it is one of a group. */
  readonly node: string | null;
  readonly lake: string;
  readonly region: string;
  /** Where pages are, "10.84.0.10:9870". */
  readonly namenode: string;
  readonly master: string;
  /** Its own volume, which outlives it. */
  readonly disk: { readonly device: string; readonly folder: string } | null;
  /** Names of parameters of Systems Manager, by the secret that each holds. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Content by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Of systemd: content by name. */
  readonly units: Readonly<Record<string, string>>;
  /** Those of the units that run from the start. */
  readonly services: readonly string[];
  /** Whether users have JupyterLab here. */
  readonly notebooks: boolean;
  /** Whether it has GPUs for Spark, whose use is told. */
  readonly gpus: boolean;
  /** ARNs of roles whose credentials accounts of the machine get: "users"; "run" and "app" are for those that run jobs and score. */
  readonly access: Readonly<Record<string, string>>;
}

/** What is known once the fleet's network, roles and lake are there. */
export interface NodePlace {
  readonly fleet: string;
  /** "s3://bucket". */
  readonly lake: string;
  readonly region: string;
  /** Address of the head. */
  readonly head: string;
  /** Name of the parameter with the secret that Spark's daemons know each other by. */
  readonly sparkParameter: string;
  readonly usersRole: string;
  readonly runRole: string;
  /** Of what scores flows, where the plan has it. */
  readonly appRole?: string | undefined;
}

/** Where EC2 attaches a machine's own volume; Amazon Linux has that name for it on all types. */
export const DATA_DEVICE = "/dev/sdf";

/** Heaps of what has a machine of its own, or nearly: a namenode keeps a million blocks in 1 GB. */
const HEAPS = {
  namenode: { HADOOP_HEAP: "1g" },
  datanode: { HADOOP_HEAP: "1g" },
  master: { SPARK_DAEMON_MEMORY: "512m" },
  history: { SPARK_DAEMON_MEMORY: "1g" },
} as const;

const APP = unitName("app");

/** Accounts that services run as. */
const HDFS_USER = "oneoff-hdfs";
const SPARK_USER = "oneoff-spark";

/** Of a worker's memory this is the system's and the worker's own; assets/fleet/node.py takes off as much. */
const SYSTEM_MEBIBYTES = 1024;

/** Of what a type is said to have the system finds some hundredths less; and an executor that asks for more than a worker has never starts. */
const FOUND = 0.9;

/** Spark's executors: what all of the types can have, one for each GPU or else one for a machine. */
export function executorsOf({ workers: { count, types } }: Pick<FleetPlan, "workers">): SparkWorkers {
  const each = types.map((type) => {
    const { vcpus, memoryGiB } = instanceType(type);
    const gpus = gpuMachine(type)?.gpus ?? 1;
    return {
      cores: Math.floor(vcpus / gpus),
      memoryMebibytes: Math.floor((memoryGiB * 1024 * FOUND - SYSTEM_MEBIBYTES) / gpus),
    };
  });
  return {
    count,
    cores: Math.min(...each.map(({ cores }) => cores)),
    memoryMebibytes: Math.min(...each.map(({ memoryMebibytes }) => memoryMebibytes)),
  };
}

/** Properties by which an application takes what the workers have. */
export const sparkConf = (plan: FleetPlan): Readonly<Record<string, string>> => ({
  ...executorConf(executorsOf(plan)),
  // An executor has one GPU, which the tasks that it runs at a time share.
  ...(plan.gpu.length > 0 && {
    "spark.executor.resource.gpu.amount": "1",
    "spark.task.resource.gpu.amount": String(1 / executorsOf(plan).cores),
  }),
  ...(plan.workers.spot && DECOMMISSION),
});

/**
 * A worker that is told to go, by SIGPWR (assets/fleet/notice.py), gets no more tasks, and its blocks go to others; what it loses in spite of that doesn't count
 * as a failure of the task. Both the daemon and applications have to know
 * (https://spark.apache.org/docs/3.5.7/configuration.html, "spark.decommission.enabled"; org.apache.spark.internal.config.Worker).
 */
const DECOMMISSION = {
  "spark.decommission.enabled": "true",
  "spark.storage.decommission.enabled": "true",
  // Rounds of moving blocks; an executor ends after the first that found none, and 30 s would be a quarter of the time there is.
  "spark.storage.decommission.replicationReattemptInterval": "5s",
} as const;

/** What a run asks for besides: its first task waits until all of a gang are there. */
export function gangConf(plan: FleetPlan): Readonly<Record<string, string>> {
  if (plan.gangMinutes === undefined) return {};
  const { count, cores } = executorsOf(plan);
  const each = Math.min(...plan.workers.types.map((type) => gpuMachine(type)?.gpus ?? 1));
  return {
    "spark.cores.max": String(count * each * cores),
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": `${plan.deadlineSeconds}s`,
  };
}

/** What the head is told. Nothing that changes with the workers is in it, or they would change with it. */
export function headConfig(plan: FleetPlan, place: NodePlace): NodeConfig {
  const { namenode, master, history, env } = servicesOf(plan, place);
  const run = { ...env, ...events(plan) };
  return {
    ...common(NodeRole.head, "head", place),
    disk: { device: DATA_DEVICE, folder: `${homeOf("namenode")}/data` },
    parameters: { spark: place.sparkParameter },
    files: { "/etc/ssh/sshd_config.d/00-oneoff-pages.conf": pagesConf(plan, place) },
    units: {
      ...unitOf(namenode, HDFS_USER, env),
      ...unitOf(master, SPARK_USER, env),
      ...unitOf(history, SPARK_USER, env),
      "oneoff-run@.service": runUnit(run),
      ...(plan.notebook && {
        "oneoff-notebook@.service": notebookUnit({ ...run, ONEOFF_HDFS: "hdfs://namenode:8020" }),
      }),
      ...(plan.app && { [APP]: appUnit(place.lake) }),
      [unitName("agent")]: agentUnit(),
    },
    services: [...["namenode", "master", "history"].map(unitName), ...(plan.app ? [APP] : []), unitName("agent")],
    notebooks: plan.notebook,
    access: { users: place.usersRole, run: place.runRole, ...(place.appRole && { app: place.appRole }) },
  };
}

/** What a data node is told. */
export function dataConfig(plan: FleetPlan, place: NodePlace, node: string): NodeConfig {
  const { datanode, env } = servicesOf(plan, place);
  return {
    ...common(NodeRole.data, node, place),
    disk: { device: DATA_DEVICE, folder: `${homeOf("datanode")}/data` },
    units: { ...unitOf(datanode, HDFS_USER, env), [unitName("agent")]: agentUnit() },
    services: ["datanode", "agent"].map(unitName),
  };
}

/** What a worker is told. */
export function workerConfig(plan: FleetPlan, place: NodePlace): NodeConfig {
  const { worker, env } = servicesOf(plan, place);
  const gpus = plan.gpu.length > 0;
  return {
    ...common(NodeRole.worker, null, place),
    gpus,
    parameters: { spark: place.sparkParameter },
    units: {
      ...unitOf(worker, SPARK_USER, {
        ...env,
        ...(gpus && { ONEOFF_GPU: "all" }),
        ...(plan.workers.spot && { SPARK_DAEMON_JAVA_OPTS: javaOptions(DECOMMISSION) }),
        AWS_CONFIG_FILE: "/etc/oneoff/access/users",
      }),
      [unitName("agent")]: agentUnit(),
    },
    services: ["worker", "agent"].map(unitName),
  };
}

const javaOptions = (properties: Readonly<Record<string, string>>): string =>
  Object.entries(properties)
    .map(([name, value]) => `-D${name}=${value}`)
    .join(" ");

const common = (
  role: NodeRole,
  node: string | null,
  { fleet, lake, region, head, usersRole }: NodePlace,
): NodeConfig => ({
  fleet,
  role,
  node,
  lake,
  region,
  namenode: `${head}:9870`,
  master: `${head}:8080`,
  disk: null,
  parameters: {},
  files: {},
  units: {},
  services: [],
  notebooks: false,
  gpus: false,
  access: { users: usersRole },
});

const unitOf = (service: Service, user: string, env: Readonly<Record<string, string>>) => ({
  [unitName(service.name)]: serviceUnit(service, user, env),
});

const events = ({ hdfs }: FleetPlan) => eventsEnv(HDFS_EVENTS, hdfs.replication);

/** The records of all fleets (ADR 17), and where their others are. */
function servicesOf(plan: FleetPlan, { head }: NodePlace) {
  const [namenode, datanode] = hdfsServices(plan.hdfs, "hdfs") as readonly [Service, Service];
  const secret = { name: "spark", path: "/run/secrets/spark", content: "", isSecret: true };
  const spark = sparkServices(executorsOf(plan), "spark", secret, events(plan));
  return {
    worker: spark.worker,
    namenode: withEnv(namenode, HEAPS.namenode),
    datanode: withEnv(datanode, HEAPS.datanode),
    master: withEnv(spark.master, HEAPS.master),
    history: withEnv(spark.history, HEAPS.history),
    env: { ONEOFF_NAMENODE: head, ONEOFF_MASTER: head },
  };
}

const withEnv = (service: Service, env: Readonly<Record<string, string>>): Service => ({
  ...service,
  env: { ...service.env, ...env },
});

/** Pages of services, and whatever listens on the head's own 127.0.0.1, such as a user's JupyterLab. */
const pagesConf = ({ app }: FleetPlan, { head }: NodePlace): string =>
  `PermitOpen ${[9870, 8080, 18080, ...(app ? [APP_PORT] : [])].map((port) => `${head}:${port}`).join(" ")} 127.0.0.1:*\n`;

/** What a machine installs from Amazon Linux's repositories, beside what comes with the image. */
const PACKAGES = "java-17-amazon-corretto-headless python3.11 python3.11-pip nftables";

export interface LoaderArgs {
  /** What {@link partsOf} returns. */
  readonly parts: readonly string[];
  readonly bucket: string;
  readonly region: string;
  /** Prefix for what is said where a machine doesn't come up. */
  readonly boot: string;
  /** Key and SHA-256 of its NodeConfig. */
  readonly config: string;
  readonly configDigest: string;
  /** Key and SHA-256 of software.py. */
  readonly installer: string;
  readonly installerDigest: string;
  /** SHA-256 of the manifest of what is installed. */
  readonly manifest: string;
}

/**
 * The user data of a machine.
 * @throws Error for a value that can't stand in a shell script.
 */
export function loader({ parts, ...values }: LoaderArgs): string {
  checkPlain(values);
  const script = readFileSync(new URL("../../../assets/fleet/loader.sh", import.meta.url), "utf8");
  return fill(script, { ...values, packages: PACKAGES, parts: parts.map((part) => `--part ${part}`).join(" ") });
}

/** What of its fleet's software a machine has a use for, as software.py calls it. */
export const partsOf = ({ role, notebooks, services }: NodeConfig): readonly string[] => [
  ...["scripts", "python"],
  ...(role === NodeRole.worker ? [] : ["hadoop"]),
  ...(notebooks ? ["jupyter"] : []),
  ...(services.includes(APP) ? ["scoring"] : []),
];

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
