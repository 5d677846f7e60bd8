/** Sends records to a stack's stream from this machine, by the script that the stack's own producer is too. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { checkCsv, type ProduceArgs, produceOptions } from "../assets/jobs/streaming-regression/produce.ts";
import { produceSettings } from "../assets/jobs/streaming-regression/produce-settings.ts";
import { streamingRegressionSettings } from "../assets/jobs/streaming-regression/settings.ts";
import { UsageError } from "../core/errors.ts";
import { projectFolder } from "../engine/backend.ts";
import { fetched } from "../provider/fetched.ts";
import { progressOf } from "../provider/log.ts";
import { ownEnvironment } from "../provider/process.ts";

const ASSETS = fileURLToPath(new URL("../assets", import.meta.url));
const CONNECT_MS = 3000;
const TELL_SECONDS = 1;

/** What of a stack's settings says what is sent. */
const settings = produceSettings.extend(
  streamingRegressionSettings.pick({ trainTopic: true, testTopic: true, features: true }).shape,
);

export interface ProduceOptions {
  /** The one topic that all goes to. @default a part to each of both */
  readonly topic?: string | undefined;
  /** Ends it after so many seconds. @default it goes on */
  readonly seconds?: number | undefined;
  /** What ids of records begin with. */
  readonly ids: string;
}

/**
 * Options of the script: what is given, and else what the stack's settings have for its own producer.
 * @throws UsageError for what doesn't go together.
 */
export function produceWords(
  given: ProduceArgs,
  { topic, seconds, ids }: ProduceOptions,
  config: Readonly<Record<string, string>>,
): readonly string[] {
  const set = Object.keys(settings.shape).map((key) => [key, config[`oneoff:${key}`]]);
  const only = topic === undefined ? {} : { trainTopic: topic, testTopic: topic, testShare: 0 };
  const args: ProduceArgs = { ...settings.parse(Object.fromEntries(set)), ...given, ...only };
  const words = produceOptions(args);
  checkCsv(args);
  return [
    ...words,
    ...["--ids", ids, "--tell", String(TELL_SECONDS)],
    ...(seconds === undefined ? [] : ["--seconds", String(seconds)]),
  ];
}

export interface Producing {
  readonly words: readonly string[];
  /** Brokers: HOST:PORT, several separated by commas. */
  readonly kafka: string;
  /** What brings the broker back where it is gone. */
  readonly hint: string;
  readonly say: (line: string) => void;
  /** Is told how many have arrived. */
  readonly sent: (records: number) => void;
  /** Has it end: what is under way still arrives. */
  readonly stop: AbortSignal;
}

/**
 * Until it is stopped, or has an end of its own.
 * @returns how many records have arrived.
 * @throws UsageError where no broker answers, a topic is missing, and for what the script refuses.
 */
export async function produce({ words, kafka, hint, say, sent, stop }: Producing): Promise<number> {
  const python = resolve(projectFolder(), process.env.ONEOFF_PYTHON ?? ".oneoff/venv/bin/python");
  if (!existsSync(python)) throw new UsageError(`there is no Python at ${python}: "npx --no oneoff setup" makes it`);
  await reach(kafka, hint);
  const lock = `${ASSETS}/scoring/kafka/requirements.txt`;
  const client = await fetched({ name: "kafka-client", lock, python }, say);
  const script = `${ASSETS}/jobs/streaming-regression/produce.py`;
  const child = spawn(python, [script, "--kafka", kafka, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...ownEnvironment(), PYTHONPATH: client },
    detached: true, // Ctrl-C is for this command, which passes it on once
  });
  const end = () => void child.kill("SIGTERM");
  if (stop.aborted) end();
  stop.addEventListener("abort", end, { once: true });
  try {
    return await followed(child, say, sent);
  } finally {
    stop.removeEventListener("abort", end);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  }
}

async function followed(
  child: ChildProcessByStdio<null, Readable, Readable>,
  say: (line: string) => void,
  sent: (records: number) => void,
): Promise<number> {
  let [records, problem] = [0, ""];
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [, last] = /^(\d+) records were sent$/.exec(line) ?? [];
    const told = last === undefined ? progressOf(line)?.done : Number(last);
    if (told === undefined) return say(line);
    records = told;
    sent(records);
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    const [, error] = /^produce\.py: error: (.*)/.exec(line) ?? [];
    if (error === undefined) say(line.replace(/^produce\.py: /, ""));
    else problem = error;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) return records;
  throw new UsageError(problem || `what sends the records ended ${code === null ? "by a signal" : `with ${code}`}`);
}

/** Where nobody listens, Kafka's client would try for a while. @throws UsageError. */
async function reach(kafka: string, hint: string): Promise<void> {
  const tries = kafka.split(",").map(async (server) => {
    const colon = server.lastIndexOf(":");
    const socket = connect({ host: server.slice(0, colon), port: Number(server.slice(colon + 1)) });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", () => resolve()).once("error", reject);
      socket.setTimeout(CONNECT_MS, () => reject(new Error("no answer")));
    }).finally(() => socket.destroy());
  });
  await Promise.any(tries).catch(({ errors: [error] }: AggregateError) => {
    throw new UsageError(`no broker answers at ${kafka} (${(error as Error).message}): ${hint}`);
  });
}
