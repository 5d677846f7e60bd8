/** A broker of Kafka on this machine, and what talks to it: all fetched once and kept in the user's cache. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { software } from "../../provider/software.ts";
import { freePorts } from "../free-port.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const READY_MS = 180_000;

const fetched = async (name: string, lock: string, python?: string): Promise<string> =>
  (await software.create("", { name, lock: here(lock), ...(python && { python }) })).outs.folder;

/** Folder of the client that `score.py --kafka` imports. */
export const kafkaClient = (python: string) =>
  fetched("scoring-kafka", "../../assets/scoring/kafka/requirements.txt", python);

/** What Spark 3.5.7 reads Kafka with, beside what PySpark has. */
export async function sparkKafkaJars(): Promise<readonly string[]> {
  const lib = join(await fetched("spark-kafka", "spark-kafka/jars.txt"), "lib");
  const names = readFileSync(here("spark-kafka/jars.txt"), "utf8").match(
    /(?<=\/)(spark-sql-kafka|spark-token|kafka-clients|commons-pool2)[^/]*\.jar$/gm,
  );
  return (names ?? []).map((name) => join(lib, name));
}

export class Broker {
  readonly address: string;
  readonly #process: ChildProcess;

  private constructor(address: string, process: ChildProcess) {
    this.address = address;
    this.#process = process;
  }

  /** Starts one that is controller too, with its data in a folder, where an earlier one may have left some. */
  static async start(folder: string, port?: number): Promise<Broker> {
    const lib = join(await fetched("kafka", "../../assets/images/kafka/jars.txt"), "lib", "*");
    port ??= await freePorts(2);
    mkdirSync(folder, { recursive: true });
    const address = `127.0.0.1:${port}`;
    const settings = {
      "process.roles": "broker,controller",
      "node.id": 1,
      "controller.quorum.voters": `1@127.0.0.1:${port + 1}`,
      listeners: `PLAINTEXT://${address},CONTROLLER://127.0.0.1:${port + 1}`,
      "controller.listener.names": "CONTROLLER",
      "log.dirs": join(folder, "data"),
      "offsets.topic.replication.factor": 1,
      "offsets.topic.num.partitions": 1,
      "group.initial.rebalance.delay.ms": 0,
    };
    const file = join(folder, "server.properties");
    writeFileSync(
      file,
      Object.entries(settings)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(""),
    );
    const java = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", lib];
    const format = [
      "kafka.tools.StorageTool",
      "format",
      "--ignore-formatted",
      "-t",
      "MkU3OEVBNTcwNTJENDM2Qk",
      "-c",
      file,
    ];
    await promisify(execFile)("java", [...java, ...format]);
    const log = join(folder, "log");
    const stdio = ["ignore", openSync(log, "w"), openSync(log, "a")] as const;
    const process = spawn("java", [...java, "kafka.Kafka", file], { stdio: [...stdio] });
    for (
      const end = Date.now() + READY_MS;
      !readFileSync(log, "utf8").includes("Kafka Server started");
      await sleep(200)
    ) {
      if (process.exitCode === null && Date.now() < end) continue;
      process.kill("SIGKILL");
      throw new Error(`the broker did not start:\n${readFileSync(log, "utf8").slice(-2000)}`);
    }
    return new Broker(address, process);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, "exit");
  }
}
