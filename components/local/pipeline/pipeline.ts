import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { jobFor } from "../../../core/job/same.ts";
import { FEED_TOKEN } from "../../common/feed.ts";
import type { CommandOutputs } from "../../common/outputs.ts";
import { runOrigin } from "../../common/run-origin.ts";
import { kafkaService } from "../../common/services/kafka.ts";
import { producerService } from "../../common/services/producer.ts";
import { applyTransform } from "../../common/transform.ts";
import { Process, type ProcessArgs } from "../process.ts";
import { type LocalService, type Processes, renderProcesses } from "../processes.ts";
import { LOCAL_DEADLINES, LocalRun, type RunArgs } from "../run.ts";
import { Secret } from "../secret.ts";
import { Software } from "../software.ts";
import { type LocalPipelineArgs, type PipelinePlan, type PipelinePlanArgs, PORT, pipelinePlan } from "./args.ts";

const ASSETS = join(import.meta.dirname, "../../../assets");
const KAFKA = join(ASSETS, "images/kafka");
const SPARK = join(ASSETS, "images/spark");
const PRODUCER = join(ASSETS, "jobs/streaming-regression");

/**
 * A job that reads a stream, on this machine: a broker of Kafka, what sends records to it, and Spark, each a process of its own.
 * Broker and producer stay until they are destroyed, and the run until it is asked to end. All listens on 127.0.0.1.
 */
export class LocalPipeline extends pulumi.ComponentResource {
  /** The shortest and the longest deadline there can be. */
  static readonly deadlines = LOCAL_DEADLINES;
  /** Names the run. */
  readonly runId: string;
  /** "running", "succeeded", "failed" or "cancelled": what it was when Pulumi looked last. `pulumi refresh` looks again. */
  readonly state: pulumi.Output<string>;
  /** Folder with one log per step. */
  readonly logs: pulumi.Output<string>;
  /** Where Kafka's clients find the broker, "127.0.0.1:8766". */
  readonly broker: string;
  /** What a dashboard is given, so that the job's steps can show rows as they happen. Secret. */
  readonly feedToken: pulumi.Output<string>;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * Where the broker of one will be, for the job's arguments.
   * @param port as in the arguments.
   */
  static broker(port = PORT): string {
    return `127.0.0.1:${port}`;
  }

  /**
   * Looks at the arguments before anything is made.
   * @throws UsageError for what the constructor refuses.
   */
  static check(args: PipelinePlanArgs): void {
    pipelinePlan(args);
  }

  /**
   * @throws UsageError for what Kafka would refuse later, a run id, cores, memory, port or deadline out of range, a missing
   * secret, and another job than the lake's; nothing has been made then.
   */
  constructor(name: string, args: LocalPipelineArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:LocalPipeline", name, {}, opts);
    const job = jobFor(args);
    const plan = pipelinePlan({ ...args, job });
    const lake = args.lake.path;
    const token = new Secret(`${name}-feed`, { parent: this });

    const rendered = this.#render(name, args, plan, lake);
    const start = (one: ProcessArgs, ...needs: readonly pulumi.Resource[]) => {
      const options = { parent: this, dependsOn: [args.lake, ...needs] };
      return new Process(...applyTransform(args.transform?.process, `${name}-${one.name}`, one, options));
    };
    const [broker, ...others] = rendered.processes as [ProcessArgs, ...ProcessArgs[]];
    const running = start(broker);
    for (const other of others) start(other, running);

    const runArgs: RunArgs = {
      ...plan.run,
      lake,
      origin: runOrigin(plan.run.job),
      cores: plan.cores,
      memoryMebibytes: plan.memoryMebibytes,
      secrets: { ...plan.run.secrets, ...(plan.feedsPage && { [FEED_TOKEN]: pulumi.secret(token.value) }) },
    };
    const options = { parent: this, dependsOn: [running] };
    const run = new LocalRun(...applyTransform(args.transform?.run, `${name}-run`, runArgs, options));

    this.runId = plan.run.run;
    this.state = run.state;
    this.logs = run.logs;
    this.broker = rendered.address("kafka", "client");
    this.feedToken = token.value;
    this.outputs = {
      ...{ cluster: "local-pipeline", run: this.runId, lake: args.lake.uri, logs: this.logs },
      kafka: this.broker,
    };
    this.registerOutputs({ runId: this.runId, state: this.state, logs: this.logs, broker: this.broker });
  }

  /** The processes, and what they are made of. */
  #render(name: string, { producer }: LocalPipelineArgs, { kafka, run, port }: PipelinePlan, lake: string): Processes {
    const jars = new Software(`${name}-kafka`, { name: "kafka", lock: join(KAFKA, "jars.txt") }, { parent: this });
    const { python } = run;
    const lock = join(ASSETS, "scoring/kafka/requirements.txt");
    const client =
      producer && new Software(`${name}-kafka-client`, { name: "kafka-client", lock, python }, { parent: this });
    const services = [kafkaService(kafka, "kafka"), ...(producer ? [producerService(producer, "producer")] : [])];
    return renderProcesses(services as readonly LocalService[], {
      lake,
      port,
      software: {
        kafka: { folder: KAFKA, env: { KAFKA_HOME: jars.folder } },
        ...(client && {
          producer: {
            folder: SPARK,
            env: { ONEOFF_PYTHON: python, ONEOFF_PRODUCER: PRODUCER, ONEOFF_PRODUCER_PACKAGES: client.folder },
          },
        }),
      },
    });
  }
}
