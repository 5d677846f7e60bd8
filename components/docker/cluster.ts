import { createHash } from "node:crypto";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { jobFor } from "../../core/job/same.ts";
import type { CommandOutputs } from "../common/outputs.ts";
import { runOrigin } from "../common/run-origin.ts";
import { hdfsServices } from "../common/services/hdfs.ts";
import { notebookService } from "../common/services/notebook.ts";
import { applyTransform } from "../common/transform.ts";
import {
  PAGES,
  SWARM_DEADLINES,
  type SwarmClusterArgs,
  type SwarmPlan,
  type SwarmPlanArgs,
  swarmPlan,
} from "./args.ts";
import { type FilePlace, labels, password, type SwarmServiceFile, secretFile, swarmFiles } from "./files.ts";
import { gateway, type Page } from "./gateway.ts";
import { builtImage } from "./images.ts";
import { runArchive } from "./run.ts";
import { type ServicePlace, type SwarmService, swarmService } from "./service.ts";
import { mongoAddress, mongoServices } from "./services/mongo.ts";
import { credentialsOf, lakeMounts, readMounts, regionEnv, sparkEnv, swarmSpark } from "./services/spark.ts";

/** Seconds in which all services must run. */
const CONVERGE_SECONDS = 600;

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
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

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
    const made = (what: string) => password(`${name}-${what}`, this);
    const files: FilePlace = { name, prefix: plan.prefix, salt: made("salt"), parent: this };
    const place = placeOf(plan, args, files);
    const rpc = secretFile("spark", made("spark"));
    const notebookToken = args.notebook === false ? undefined : made("notebook-token");
    const mongo = args.mongo
      ? { root: made("mongo-root"), own: made("mongo"), express: made("mongo-express") }
      : undefined;
    const mongoUri = mongo && secretFile("mongo-uri", mongoAddress(mongo));

    const token = notebookToken && secretFile("notebook-token", notebookToken);
    const notebook = token && notebookOf(plan, spark, [rpc, token, ...(mongoUri ? [mongoUri] : [])]);

    const services: readonly SwarmService[] = [
      ...swarmSpark(plan, spark, rpc, credentialsOf(args)),
      ...(plan.hdfs ? hdfsServices(plan.hdfs, args.images?.hdfs ?? builtImage(name, "hdfs", args, this)) : []),
      ...(mongo ? mongoServices(mongo, args.images ?? {}, plan.user) : []),
      ...(notebook ? [notebook] : []),
    ];
    if (mongoUri) place.file(mongoUri); // without a notebook too, for services of the user's own
    const rendered = services.map((service) => ({ service, resource: swarmService(place, service) }));
    const running = new Services(`${name}-services`, rendered, { parent: this });

    const pages = pagesOf(plan, services);
    gateway(
      name,
      { prefix: plan.prefix, image: spark, network: place.network, pages, transform: args.transform?.gateway },
      { parent: this, dependsOn: [running] },
    );
    const run = runService(place, files, args, plan, { image: spark, rpc, mongoUri: mongoUri?.content, running });

    this.runId = plan.runId;
    this.service = run.name;
    this.logs = pulumi.interpolate`${lakeAddress(args)}/_logs/${plan.runId}`;
    this.pages = Object.fromEntries(
      pages.map(({ name, published, path = "/" }) => [name, pulumi.output(`http://127.0.0.1:${published}${path}`)]),
    );
    this.notebookToken = notebookToken;
    this.mongoExpressPassword = mongo?.express;
    this.network = place.network.name;
    this.outputs = {
      cluster: "swarm",
      run: this.runId,
      service: this.service,
      deadline: args.lifetime.deadline,
      lake: lakeAddress(args),
      region: args.region,
      logs: this.logs,
      ...this.pages,
      network: this.network,
      notebookToken: this.notebookToken,
      mongoExpressPassword: this.mongoExpressPassword,
    };
    this.registerOutputs({ runId: this.runId, service: this.service, logs: this.logs });
  }
}

function notebookOf(plan: SwarmPlan, image: pulumi.Input<string>, secrets: readonly SwarmServiceFile[]): SwarmService {
  const { workers, hdfs, folder, user } = plan;
  const service = notebookService(
    { workers, events: sparkEnv(plan), hdfs: hdfs !== undefined, folder, notebooks: ["analysis", "startup"] },
    image,
    secrets,
  );
  return { ...service, user };
}

/** The plan, once it is known that what the run is sent is not too large. */
function checkedPlan(args: SwarmPlanArgs): SwarmPlan {
  const plan = swarmPlan(args);
  runArchive(args.job, plan, "");
  return plan;
}

/** What all services of the cluster share. */
function placeOf(plan: SwarmPlan, args: SwarmClusterArgs, files: FilePlace): ServicePlace {
  const { name, prefix, parent } = files;
  return {
    name,
    prefix,
    network: overlay(name, plan, args, parent),
    file: swarmFiles(files),
    nodeOf: ({ path }) => (path === plan.folder ? plan.node : plan.readsOn),
    needs: args.lake instanceof pulumi.Resource ? [args.lake] : [],
    transform: args.transform?.service,
    parent,
  };
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
  // Docker adds options of its own, and a change of one, or of a label, would be a new network.
  return new docker.Network(
    ...applyTransform(transform?.network, `${name}-network`, network, { parent, ignoreChanges: ["options", "labels"] }),
  );
}

interface RunNeeds {
  readonly image: pulumi.Input<string>;
  readonly rpc: SwarmServiceFile;
  /** Where MongoDB is, with user and password. */
  readonly mongoUri: pulumi.Input<string> | undefined;
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
  const ours = swarmFiles({ ...files, run: runId });
  const own = { ...place, file: (file: SwarmServiceFile) => (file.name === "run" ? ours(file) : place.file(file)) };
  const archive = pulumi
    .all([lakeAddress(args), runOrigin(args.job)])
    .apply(([lake, origin]) => runArchive(args.job, plan, lake, origin));
  const service: SwarmService = {
    name: "run",
    image: needs.image,
    user,
    command: ["run"],
    once: true,
    memoryMebibytes: plan.driverMebibytes,
    env: { ...sparkEnv(plan), ...regionEnv(args.region) },
    files: [
      needs.rpc,
      secretFile("run", runSecrets(args, plan, needs.mongoUri)),
      { name: "run", path: "/etc/oneoff/run.zip", content: archive, isBase64: true },
    ],
    mounts: [...readMounts(plan), ...lakeMounts(plan)],
  };
  const swarmName = `run-${/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,14}[a-zA-Z0-9])?$/.test(runId) ? runId : digest(runId)}`;
  const options = { dependsOn: [needs.running], ignoreChanges: ["taskSpec", "labels"] };
  return swarmService(own, service, options, swarmName);
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

/** The pages there are, in the order of their ports. */
function pagesOf({ port }: SwarmPlan, services: readonly SwarmService[]): readonly Page[] {
  const pages = services.flatMap(({ name: role, pages = [], listens = {} }) =>
    pages.map(({ name, listen, path }) => {
      const place = PAGES.indexOf(name);
      if (place < 0) throw new Error(`page ${name} of service ${role} has no port: PAGES lists those that have one`);
      return { name, role, port: listens[listen] as number, published: port + place, ...(path && { path }) };
    }),
  );
  return pages.sort((one, other) => one.published - other.published);
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);

interface Rendered {
  readonly service: SwarmService;
  readonly resource: docker.Service;
}

/** There once all services run; its error names those that don't, and why. */
class Services extends pulumi.CustomResource {
  constructor(name: string, services: readonly Rendered[], opts: pulumi.CustomResourceOptions) {
    const inputs = services.map(({ service, resource }) => ({
      id: resource.id,
      name: resource.name,
      replicas: service.replicas ?? 1,
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
