import { workerData } from "node:worker_threads";
import { lookAt } from "./look.ts";
import type { Answer, Order } from "./now.ts";

const { job, done, answer } = workerData as Order;
const said: Answer = await lookAt(job).then(
  (problems) => ({ problems }),
  (error: unknown) => ({ error }),
);
answer.postMessage(said);
Atomics.store(done, 0, 1);
Atomics.notify(done, 0);
