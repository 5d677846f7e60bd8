import { formatDuration } from "../../core/duration.ts";
import { UsageError } from "../../core/errors.ts";
import { openBrowser } from "../browser.ts";
import { googleProjectOf } from "../config.ts";
import { freePort, isFree, probe } from "../loopback.ts";
import { DataprocPage, type OpenOptions, pageOf } from "../options.ts";
import type { Outputs } from "../platform.ts";
import { pause, progressPrinter, stopSignal } from "../waiting.ts";
import { Google } from "./client.ts";
import { gatewayPage } from "./dataproc/pages.ts";
import { placeOf } from "./dataproc/stack.ts";
import { GET_GCLOUD, gcloudVersion, type Instance, startTunnel, type Tunnel, whyNever } from "./gcloud.ts";
import { instanceState } from "./instance.ts";

/** An instance boots, fetches the dashboard and starts it. */
const PATIENCE_MS = 6 * 60_000;
const PAUSE_MS = 3000;
/** Between two looks whether the page answers. */
const LOOK_MS = 1000;
/** Port of the dashboard, there and where it is free here. */
const PORT = 8765;

/** The dashboard's instance, and how to know what it is at. */
export interface Dashboard {
  readonly instance: Instance;
  /** @throws UsageError when it will not answer by itself any more. */
  readonly state: () => Promise<string>;
}

/**
 * Opens the dashboard, whose instance has no public address: through Google's Identity-Aware Proxy, on a port of this
 * machine, until Ctrl-C. A page of the cluster is behind the component gateway, which needs no connection.
 *
 * @throws UsageError when what it takes is missing, or the page is no more or doesn't answer.
 */
export async function openPage(stack: string, outputs: Outputs, options: OpenOptions): Promise<void> {
  const google = new Google(googleProjectOf(stack, outputs));
  if (options.ui !== undefined) {
    const page = await gatewayPage(google, placeOf(stack, outputs), pageOf(DataprocPage, options.ui, stack));
    console.log(`${page.what}: ${page.url}`);
    return openBrowser(page.url);
  }
  const { dashboardInstance: name, dashboardZone: zone } = outputs;
  if (typeof name !== "string" || typeof zone !== "string") {
    throw new UsageError(`stack ${stack} has no dashboard: its output "dashboardInstance" is not set`);
  }
  if ((await gcloudVersion()) === undefined) {
    throw new UsageError(`gcloud is not on PATH, and it leads to the dashboard: ${GET_GCLOUD}`);
  }
  const instance = { name, zone, project: googleProjectOf(stack, outputs) };
  const state = () => instanceState(google, stack, instance, outputs);
  // gcloud takes any that is free where ours is not.
  const port = options.port === undefined ? ((await isFree(PORT)) ? PORT : 0) : await freePort(options.port, PORT);
  await stayConnected({ instance, state }, port, stopSignal());
}

/**
 * A tunnel ends with the network, and when Google ends it: then there is another, until it is stopped.
 * @throws UsageError when the page doesn't answer in time.
 */
export async function stayConnected(
  dashboard: Dashboard,
  localPort: number,
  stop: AbortSignal,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const stopped = new Promise<undefined>((resolve) => stop.addEventListener("abort", () => resolve(undefined)));
  let port = localPort;
  for (let first = true; !stop.aborted; first = false) {
    const connection = await connected(dashboard, port, stop, patienceMs);
    if (!connection) return;
    const url = `http://127.0.0.1:${connection.port}`;
    port = connection.port; // the browser has its address by now
    if (first) {
      console.log(`Dashboard: ${url}\nCtrl-C closes the connection.`);
      openBrowser(url);
    } else console.log("It is connected again.");
    const reason = await Promise.race([connection.tunnel.ended, stopped]);
    if (stop.aborted) return connection.tunnel.end();
    console.log(`The connection has ended (${reason}); connecting again`);
  }
}

interface Connection {
  readonly tunnel: Tunnel;
  readonly port: number;
}

/** A tunnel through which the page answers; undefined when it was stopped. */
async function connected(
  { instance, state }: Dashboard,
  localPort: number,
  stop: AbortSignal,
  patienceMs: number,
): Promise<Connection | undefined> {
  const say = progressPrinter();
  let last = "";
  for (const end = Date.now() + patienceMs; Date.now() < end && !stop.aborted; ) {
    const at = await state();
    const tunnel = startTunnel(instance, PORT, localPort);
    const found = await answers(instance, tunnel, end, stop, say);
    if (typeof found === "number") return { tunnel, port: found };
    await tunnel.end();
    if (found === undefined) return undefined;
    const never = whyNever(found, instance);
    if (never) throw never;
    last = found;
    say(`Waiting for ${instance.name}: ${at}, and its page doesn't answer yet (${found})`);
    await pause(stop, PAUSE_MS);
  }
  if (stop.aborted) return undefined;
  const { name, zone, project } = instance;
  throw new UsageError(
    `the dashboard didn't answer within ${formatDuration(patienceMs / 1000)}: ${last}; what its instance printed is to be had by "gcloud compute instances get-serial-port-output ${name} --zone ${zone} --project ${project}"`,
  );
}

/** @returns the port on which the page answers, why it doesn't, or undefined when it was stopped. */
async function answers(
  { name }: Instance,
  tunnel: Tunnel,
  end: number,
  stop: AbortSignal,
  say: (text: string) => void,
): Promise<number | string | undefined> {
  let over: string | undefined;
  const ended = tunnel.ended.then((problem) => {
    over = problem;
  });
  const port = await inTime(tunnel.port, end, stop);
  if (port === undefined) {
    if (!stop.aborted) await inTime(ended, end, stop);
    return stop.aborted ? undefined : (over ?? "gcloud opened no port");
  }
  while (Date.now() < end && !stop.aborted) {
    const status = await probe(`http://127.0.0.1:${port}/api/identity`);
    if (over !== undefined) return over;
    if (status !== undefined && status < 500) return port;
    say(`Waiting for ${name}: it is connected, and its page doesn't answer yet`);
    await pause(stop, LOOK_MS);
  }
  return stop.aborted ? undefined : "there was no answer";
}

/** What comes before the end, and before it is stopped; else undefined. */
async function inTime<T>(awaited: Promise<T>, end: number, stop: AbortSignal): Promise<T | undefined> {
  const done = new AbortController();
  const late = pause(AbortSignal.any([stop, done.signal]), Math.max(0, end - Date.now())).then(() => undefined);
  try {
    return await Promise.race([awaited, late]);
  } finally {
    done.abort();
  }
}
