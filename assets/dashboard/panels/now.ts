/** Looks at panels and waits: a component refuses its arguments before it makes anything, and DuckDB answers later only. */
import { existsSync } from "node:fs";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { Shown } from "./look.ts";
import type { Problem } from "./problem.ts";

export interface Order {
  readonly job: Shown;
  readonly done: Int32Array;
  readonly answer: MessagePort;
}

export type Answer = { readonly problems: readonly Problem[] } | { readonly error: string };

const seen = new Map<string, readonly Problem[]>();

/**
 * As `lookAt`, at once; the same panels only once.
 * @throws Error where they can't be looked at: DuckDB is a program for some platforms.
 */
export function lookNow({ tables, panels }: Shown): readonly Problem[] {
  if (panels.length === 0) return [];
  const key = JSON.stringify([tables, panels]);
  const known = seen.get(key);
  if (known) return known;
  const problems = ask(JSON.parse(JSON.stringify({ tables, panels })));
  seen.set(key, problems);
  return problems;
}

const MOST_MS = 30_000;

function ask(job: Shown): readonly Problem[] {
  const { port1, port2 } = new MessageChannel();
  const done = new Int32Array(new SharedArrayBuffer(4));
  const [plain, typed] = ["./worker.js", "./worker.ts"].map((file) => new URL(file, import.meta.url));
  const worker = new Worker(existsSync(plain as URL) ? (plain as URL) : (typed as URL), {
    workerData: { job, done, answer: port2 } satisfies Order,
    transferList: [port2],
    execArgv: [], // some of the program's are not for a worker, which then never answers
  });
  worker.unref();
  Atomics.wait(done, 0, 0, MOST_MS);
  const answer = receiveMessageOnPort(port1)?.message as Answer | undefined;
  port1.close();
  if (!answer) throw new Error(`it took more than ${MOST_MS / 1000} seconds`);
  if ("error" in answer) throw new Error(answer.error);
  return answer.problems;
}
