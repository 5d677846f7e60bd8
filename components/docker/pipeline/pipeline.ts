import * as pulumi from "@pulumi/pulumi";
import { jobFor } from "../../../core/job/same.ts";
import { SqlEngine } from "../../../core/sql-engine.ts";
import { bundle } from "../../common/bundle.ts";
import { FEED_TOKEN } from "../../common/feed.ts";
import type { CommandOutputs } from "../../common/outputs.ts";
import { checkPanels } from "../../common/panels.ts";
import { kafkaService } from "../../common/services/kafka.ts";
import { SWARM_DEADLINES } from "../args.ts";
import { type FilePlace, password, type SwarmServiceFile, secretFile } from "../files.ts";
import { gateway } from "../gateway.ts";
import { builtImage } from "../images.ts";
import { placeOf } from "../place.ts";
import { runArchive } from "../run.ts";
import { runService } from "../run-service.ts";
import { pagesOf, Services } from "../running.ts";
import { type SwarmService, swarmService } from "../service.ts";
import { PAGE_ADDRESS, pageService } from "../services/page.ts";
import { swarmProducer } from "../services/producer.ts";
import { swarmSpark } from "../services/spark.ts";
import {
  PIPELINE_PAGES,
  type PipelinePlan,
  type PipelinePlanArgs,
  pipelinePlan,
  type StreamingPipelineArgs,
} from "./args.ts";

const BROKER = "kafka";

/**
 * A job that reads a stream, on Docker Swarm: a broker of Kafka, what sends records to it, Spark, and the page that shows what
 * happens. All but the run stay until they are destroyed, and the run until it is asked to end. The way in is a gateway on
 * 127.0.0.1.
 */
export class StreamingPipeline extends pulumi.ComponentResource {
  /** The shortest and the longest deadline there can be. */
  static readonly deadlines = SWARM_DEADLINES;
  /** Where the broker is on the pipeline's network, for the job's arguments. */
  static readonly broker = `${BROKER}:9092`;
  /** Where the page is on the pipeline's network, for the job's arguments. */
  static readonly page = PAGE_ADDRESS;
  /** Names the run. */
  readonly runId: string;
  /** Name of the service that runs the job, for `docker service logs`. */
  readonly service: pulumi.Output<string>;
  /** Where one log per step lies. */
  readonly logs: pulumi.Output<string>;
  /** Address of each page on this machine: "dashboard", "spark" and "history". */
  readonly pages: Readonly<Record<string, pulumi.Output<string>>>;
  /** Name of the attachable network, for containers of your own: the broker is {@link StreamingPipeline.broker} there. */
  readonly network: pulumi.Output<string>;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * Looks at the arguments before anything is made.
   * @throws UsageError for what the constructor refuses.
   */
  static check(args: StreamingPipelineArgs): void {
    checkedPlan({ ...args, job: jobFor(args) });
  }

  /**
   * @throws UsageError for what Docker, Spark or Kafka would refuse later, another job than the lake's, when there is none, and
   * for a panel that DuckDB can't show; nothing has been made then.
   */
  constructor(name: string, given: StreamingPipelineArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:StreamingPipeline", name, {}, opts);
    const args = { ...given, job: jobFor(given) };
    const plan = checkedPlan(args);
    checkPanels(args.job, SqlEngine.duckdb, this);

    const image = args.images?.spark ?? builtImage(name, "spark", args, this);
    const made = (what: string) => password(`${name}-${what}`, this);
    const files: FilePlace = { name, prefix: plan.prefix, salt: made("salt"), parent: this };
    const place = placeOf(plan, args, files);
    const rpc = secretFile("spark", made("spark"));
    const feedToken = made("feed");

    const services = this.#services(name, args, plan, { image, rpc, feedToken });
    const rendered = services.map((service) => ({ service, resource: swarmService(place, service) }));
    const running = new Services(`${name}-services`, rendered, { parent: this });
    const pages = pagesOf(PIPELINE_PAGES, plan.port, services);
    gateway(
      name,
      { prefix: plan.prefix, image, network: place.network, pages, transform: args.transform?.gateway },
      { parent: this, dependsOn: [running] },
    );
    const secrets: Readonly<Record<string, pulumi.Output<string>>> = plan.feedsPage ? { [FEED_TOKEN]: feedToken } : {};
    const run = runService(place, files, args, plan, { image, rpc, secrets, running });

    this.runId = plan.runId;
    this.service = run.name;
    this.logs = pulumi.output(`${plan.folder}/_logs/${plan.runId}`);
    this.pages = Object.fromEntries(
      pages.map(({ name, published }) => [name, pulumi.output(`http://127.0.0.1:${published}/`)]),
    );
    this.network = place.network.name;
    this.outputs = {
      cluster: "swarm-pipeline",
      run: this.runId,
      service: this.service,
      deadline: args.lifetime.deadline,
      lake: args.lake.path,
      logs: this.logs,
      ...this.pages,
      kafka: StreamingPipeline.broker,
      network: this.network,
    };
    this.registerOutputs({ runId: this.runId, service: this.service, logs: this.logs });
  }

  /** The services that stay, and what they are made of. */
  #services(name: string, args: PipelinePlanArgs, plan: PipelinePlan, made: Made): readonly SwarmService[] {
    const { job, images, producer } = args;
    const { image, rpc, feedToken } = made;
    const kafka = images?.kafka ?? builtImage(name, "kafka", args, this);
    const page = images?.dashboard ?? builtImage(name, "dashboard", args, this, bundle("dashboard-image"));
    const shown = { job, folder: args.lake.path, token: `${plan.prefix}-page`, feedToken, user: plan.user };
    return [
      kafkaService(plan.kafka, kafka),
      ...swarmSpark(plan, image, rpc, undefined),
      pageService(shown, page),
      ...(producer ? [swarmProducer(producer, image, plan.user)] : []),
    ];
  }
}

/** What services are made with. */
interface Made {
  readonly image: pulumi.Input<string>;
  readonly rpc: SwarmServiceFile;
  readonly feedToken: pulumi.Output<string>;
}

/** The plan, once it is known that what the run is sent is not too large. */
function checkedPlan(args: PipelinePlanArgs): PipelinePlan {
  const plan = pipelinePlan(args);
  runArchive(args.job, plan, "");
  return plan;
}
