import * as pulumi from "@pulumi/pulumi";
import { jobFor } from "../../core/job/same.ts";
import type { CommandOutputs } from "../common/outputs.ts";
import { hdfsServices } from "../common/services/hdfs.ts";
import { notebookService } from "../common/services/notebook.ts";
import {
  PAGES,
  SWARM_DEADLINES,
  type SwarmClusterArgs,
  type SwarmPlan,
  type SwarmPlanArgs,
  swarmPlan,
} from "./args.ts";
import { type FilePlace, password, type SwarmServiceFile, secretFile } from "./files.ts";
import { gateway } from "./gateway.ts";
import { builtImage } from "./images.ts";
import { placeOf } from "./place.ts";
import { runArchive } from "./run.ts";
import { lakeAddress, runService } from "./run-service.ts";
import { pagesOf, Services } from "./running.ts";
import { type SwarmService, swarmService } from "./service.ts";
import { mongoAddress, mongoServices } from "./services/mongo.ts";
import { credentialsOf, sparkEnv, swarmSpark } from "./services/spark.ts";

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

    const pages = pagesOf(PAGES, plan.port, services);
    gateway(
      name,
      { prefix: plan.prefix, image: spark, network: place.network, pages, transform: args.transform?.gateway },
      { parent: this, dependsOn: [running] },
    );
    const run = runService(place, files, args, plan, {
      image: spark,
      rpc,
      secrets: mongoUri ? { "mongo-uri": mongoUri.content } : {},
      running,
    });

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
