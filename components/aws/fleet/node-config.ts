import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { checkPlain, fill } from "../../../assets/template.ts";
import { NodeRole } from "../../../core/node-role.ts";
import type { Service } from "../../../core/service.ts";
import { HDFS_EVENTS, hdfsServices } from "../../common/services/hdfs.ts";
import { DAEMONS } from "../../common/services/scheduler.ts";
import { eventsEnv, sparkServices } from "../../common/services/spark.ts";
import { APP_PORT, appUnit } from "./app.ts";
import type { FleetPlan } from "./args.ts";
import { executorsOf } from "./executors.ts";
import { placeOf, SPARK_SECRET, sharingOf, withEnv } from "./sharing.ts";
import { ACCESS, agentUnit, homeOf, notebookUnit, runUnit, serviceUnit, unitName } from "./units.ts";

/** What a machine is told of itself, as JSON: assets/fleet/node_config.py reads it, and refuses what isn't in it. */
export interface NodeConfig {
  readonly fleet: string;
  readonly role: NodeRole;
  /** What it is called; null: as its instance, since it is one of a group. */
  readonly node: string | null;
  readonly lake: string;
  readonly region: string;
  /** Where the namenode's page is, "10.84.0.10:9870". */
  readonly namenode: string;
  /** Where what shares the workers out is asked, "10.84.0.10:8080" or "yarn://10.84.0.10:8088"; null: the machine has no business there. */
  readonly master: string | null;
  /** Of the head: where pages are, by name. */
  readonly pages: Readonly<Record<string, string>>;
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
  history: { SPARK_DAEMON_MEMORY: "1g" },
} as const;

const APP = unitName("app");

/** Accounts that services run as. */
const HDFS_USER = "oneoff-hdfs";
const SPARK_USER = "oneoff-spark";

/** What the head is told. Nothing that changes with the workers is in it, or they would change with it. */
export function headConfig(plan: FleetPlan, place: NodePlace): NodeConfig {
  const { namenode, history, hdfs } = servicesOf(plan, place);
  const { manager, env: sharing, asked } = sharingOf(plan, place.head);
  const env = { ...hdfs, ...sharing };
  const run = { ...env, ...events(plan) };
  const pages = pagesOf(plan, place, [namenode, manager, history]);
  return {
    ...common(NodeRole.head, "head", place),
    master: asked,
    pages,
    disk: { device: DATA_DEVICE, folder: `${homeOf("namenode")}/data` },
    parameters: { spark: place.sparkParameter },
    files: { "/etc/ssh/sshd_config.d/00-oneoff-pages.conf": permitted(Object.values(pages)) },
    units: {
      ...unitOf(namenode, HDFS_USER, hdfs),
      ...unitOf(manager, SPARK_USER, env),
      ...unitOf(history, SPARK_USER, env),
      "oneoff-run@.service": runUnit(run),
      ...(plan.notebook && {
        "oneoff-notebook@.service": notebookUnit({ ...run, ONEOFF_HDFS: "hdfs://namenode:8020" }),
      }),
      ...(plan.app && { [APP]: appUnit(place.lake) }),
      [unitName("agent")]: agentUnit(),
    },
    services: [
      ...[namenode, manager, history].map(({ name }) => unitName(name)),
      ...(plan.app ? [APP] : []),
      unitName("agent"),
    ],
    notebooks: plan.notebook,
    access: { users: place.usersRole, run: place.runRole, ...(place.appRole && { app: place.appRole }) },
  };
}

/** What a data node is told: nothing of what shares out the workers. */
export function dataConfig(plan: FleetPlan, place: NodePlace, node: string): NodeConfig {
  const { datanode, hdfs } = servicesOf(plan, place);
  return {
    ...common(NodeRole.data, node, place),
    disk: { device: DATA_DEVICE, folder: `${homeOf("datanode")}/data` },
    units: { ...unitOf(datanode, HDFS_USER, hdfs), [unitName("agent")]: agentUnit() },
    services: ["datanode", "agent"].map(unitName),
  };
}

/** What a worker is told. */
export function workerConfig(plan: FleetPlan, place: NodePlace): NodeConfig {
  const { hdfs } = servicesOf(plan, place);
  const { worker, env, asked } = sharingOf(plan, place.head);
  const gpus = plan.gpu.length > 0;
  return {
    ...common(NodeRole.worker, null, place),
    master: asked,
    gpus,
    parameters: worker.files?.includes(SPARK_SECRET) ? { spark: place.sparkParameter } : {},
    units: {
      ...unitOf(worker, SPARK_USER, {
        ...hdfs,
        ...env,
        ...(gpus && { ONEOFF_GPU: "all" }),
        AWS_CONFIG_FILE: `${ACCESS}/users`,
      }),
      [unitName("agent")]: agentUnit(),
    },
    services: [worker.name, "agent"].map(unitName),
  };
}

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
  master: null,
  pages: {},
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

/** The records of all fleets (ADR 17), and where their HDFS is. */
function servicesOf(plan: FleetPlan, { head }: NodePlace) {
  const [namenode, datanode] = hdfsServices(plan.hdfs, "hdfs") as readonly [Service, Service];
  const { history } = sparkServices(executorsOf(plan), "spark", SPARK_SECRET, events(plan));
  return {
    namenode: withEnv(namenode, HEAPS.namenode),
    datanode: withEnv(datanode, HEAPS.datanode),
    history: withEnv(history, HEAPS.history),
    hdfs: { ONEOFF_NAMENODE: head },
  };
}

/** Where pages of the head are, by their names. */
const pagesOf = ({ app }: FleetPlan, { head }: NodePlace, services: readonly Service[]): NodeConfig["pages"] => ({
  ...Object.fromEntries(
    services.flatMap((service) =>
      (service.pages ?? []).map(({ name, listen }) => [name, placeOf(service, head, listen)]),
    ),
  ),
  ...(app && { app: `${head}:${APP_PORT}` }),
});

/** To where SSH forwards: pages, and whatever listens on the head's own 127.0.0.1, such as a user's JupyterLab. */
const permitted = (places: readonly string[]): string => `PermitOpen ${[...places, "127.0.0.1:*"].join(" ")}\n`;

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
  ...(Object.values(DAEMONS.yarn).some((daemon) => services.includes(unitName(daemon))) ? ["yarn"] : []),
];

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
