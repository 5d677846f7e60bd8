import { setTimeout as sleep } from "node:timers/promises";
import type { Docker } from "../../../clients/docker.ts";
import { TransientError } from "../../../core/errors.ts";
import { newestTask, type Task, whyEnded } from "./task.ts";

const LOOK_MS = 1000;
/** The driver looks for the request every five seconds, and then has to end its step. */
const DRIVER_MS = 20_000;
/** Docker kills a container that doesn't end within two minutes (components/docker/service.ts). */
const DOCKER_MS = 150_000;

/**
 * Waits until the job's container has ended: its driver ends it, once it finds the request in the lake. Where none runs, or
 * that doesn't end, Docker is told to end the service's tasks.
 *
 * @throws TransientError when it still runs after that.
 */
export async function endJob(docker: Docker, service: string, say: (line: string) => void): Promise<void> {
  let task = await taskOf(docker, service);
  for (const end = Date.now() + DRIVER_MS; isRunning(task) && Date.now() < end; task = await taskOf(docker, service))
    await sleep(LOOK_MS);
  if (task === undefined) return;
  say(`Docker is told to end service ${service}.`);
  await docker.text("service", "scale", "--detach", `${service}=0`);
  for (
    const end = Date.now() + DOCKER_MS;
    task !== undefined && task !== "none";
    task = await taskOf(docker, service)
  ) {
    if (Date.now() > end)
      throw new TransientError(`the job's container still runs: "docker service ps ${service}" shows it`);
    await sleep(LOOK_MS);
  }
}

/** What may run the job: "none" where nothing does yet, undefined where nothing will. */
async function taskOf(docker: Docker, service: string): Promise<Task | "none" | undefined> {
  const task = await newestTask(docker, service);
  if (task === undefined || task === "none") return task;
  return (await whyEnded(docker, service, task)) === undefined ? task : undefined;
}

const isRunning = (task: Task | "none" | undefined): boolean =>
  task !== undefined && task !== "none" && task.state === "running";
