import { workerData } from "node:worker_threads";
import type { Answer, Order } from "./now.ts";

const { job, done, answer } = workerData as Order;
// Imported here, so that whoever waits is told where DuckDB can't be loaded.
const said: Answer = await import("./look.ts")
  .then(async ({ lookAt }) => ({ problems: await lookAt(job) }))
  .catch((error: Error) => ({ error: error.message }));
answer.postMessage(said);
Atomics.store(done, 0, 1);
Atomics.notify(done, 0);
