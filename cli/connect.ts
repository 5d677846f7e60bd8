import { formatDuration } from "../core/duration.ts";
import { TransientError, UsageError } from "../core/errors.ts";
import { openBrowser } from "./browser.ts";
import { freePort, isLoopback, probe } from "./loopback.ts";
import type { Connection, Place, Route, Tunnel } from "./platform.ts";
import { pause, progressPrinter, stopSignal } from "./waiting.ts";

/** In milliseconds. */
export interface Times {
  /** For one of several places where a page may be. */
  readonly place: number;
  /** Between two looks whether the page answers. */
  readonly look: number;
  /** What connects takes a moment itself: before that nothing is said. */
  readonly quiet: number;
  /** Before another connection, where one has failed soon. */
  readonly pause: number;
}

const TIMES: Times = { place: 6000, look: 500, quiet: 2000, pause: 3000 };

/** A port of this machine that is to lead to a page until it is stopped. */
interface Here {
  readonly localPort: number;
  readonly stop: AbortSignal;
  readonly times: Times;
}

/**
 * Opens a page in the browser; stays until Ctrl-C where the connection to it is this command's own.
 *
 * @param port on this machine, where there is a connection. @default the page's own, or the next that is free
 * @throws UsageError when it can't be reached, or doesn't answer in time; TransientError when nothing answers on this machine.
 */
export async function openRoute(route: Route, port: number | undefined): Promise<void> {
  const { tunnel, title, url } = route;
  if (tunnel) return stayConnected(route, tunnel, await freePort(port, tunnel.places[0].port), stopSignal());
  if (port !== undefined) {
    throw new UsageError(
      `--port is ${port}, and no connection of this command leads to the page: ${title} is at ${url}`,
    );
  }
  if (isLoopback(url) && !isAnswer(await probe(url), 502)) {
    throw new TransientError(`${title} doesn't answer at ${url}${route.hint ? `: ${route.hint}` : ""}`);
  }
  show(route, url);
}

const isAnswer = (status: number | undefined, problem: number): boolean => status !== undefined && status < problem;

function show({ title, notes = [], browse }: Route, url: string): void {
  for (const line of [`${title}: ${url}`, ...notes]) console.log(line);
  openBrowser(browse?.(url) ?? url);
}

/**
 * A connection ends when nobody used it for a while, and with the network: then there is another, until it is stopped.
 * @throws UsageError when the page doesn't answer in time at first.
 */
export async function stayConnected(
  route: Route,
  tunnel: Tunnel,
  localPort: number,
  stop: AbortSignal,
  times = TIMES,
): Promise<void> {
  const here = { localPort, stop, times };
  let { places } = tunnel;
  for (let isFirst = true; !stop.aborted; isFirst = false) {
    const found = await connected(route, { ...tunnel, places }, here, isFirst);
    if (!found) return;
    places = [found.place]; // the browser has its address by now
    if (isFirst) showConnected(route, found.place, localPort);
    else console.log("It is connected again.");
    const began = Date.now();
    const reason = await Promise.race([found.connection.ended, aborted(stop)]);
    if (stop.aborted) return found.connection.end();
    console.log(`The connection has ended (${reason}); connecting again`);
    if (Date.now() - began < times.place) await pause(stop, times.pause); // it may not hold at all
  }
}

function showConnected(route: Route, { scheme }: Place, localPort: number): void {
  const notes = [
    ...(route.notes ?? []),
    ...(scheme === "https" ? ["The browser will warn of its certificate, which was made for the cluster."] : []),
    "Ctrl-C closes the connection.",
  ];
  const path = new URL(route.url).pathname.replace(/^\/$/, "");
  show({ ...route, notes }, `${scheme}://127.0.0.1:${localPort}${path}`);
}

const aborted = (stop: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => stop.addEventListener("abort", () => resolve(undefined), { once: true }));

/** A connection through which a page answers. */
interface Connected {
  readonly connection: Connection;
  readonly place: Place;
}

/** Tries until the page answers, at first for as long as there is patience; undefined when it was stopped. */
async function connected(
  { title }: Route,
  tunnel: Tunnel,
  here: Here,
  isFirst: boolean,
): Promise<Connected | undefined> {
  const { places, host, patienceMs, advice } = tunnel;
  const { stop, times } = here;
  const say = progressPrinter();
  const end = isFirst ? Date.now() + patienceMs : Number.POSITIVE_INFINITY;
  let last = "";
  for (let turn = 0; Date.now() < end && !stop.aborted; turn++) {
    const began = Date.now();
    const place = places[turn % places.length] as Place;
    const at = await tunnel.state?.();
    if (stop.aborted) break;
    const found = await attempt(tunnel, place, here, end, say);
    if ("connection" in found) return found;
    if (stop.aborted) break;
    const never = found.failed === undefined ? undefined : tunnel.whyNever?.(found.failed, isFirst);
    if (never) throw never;
    last = found.failed ?? silence(tunnel);
    say(`Waiting for ${host}: ${at ? `${at}, and its page doesn't answer yet (${last})` : last}`);
    if (Date.now() - began < times.place) await pause(stop, times.pause);
  }
  if (stop.aborted) return undefined;
  throw new UsageError(`${title} didn't answer within ${formatDuration(patienceMs / 1000)}: ${last}; ${advice}`);
}

const silence = ({ places }: Tunnel): string =>
  `there is no answer on port ${[...new Set(places.map(({ port }) => port))].join(" or ")}`;

/** Why a page doesn't answer: its connection failed, or else it is silent. */
interface Unanswered {
  readonly failed?: string;
}

async function attempt(
  { places, host, probe: path }: Tunnel,
  place: Place,
  here: Here,
  end: number,
  say: (text: string) => void,
): Promise<Connected | Unanswered> {
  const connection = await place.connect(here.localPort).catch((error: Error) => {
    if (error instanceof TransientError) return { failed: error.message };
    throw error;
  });
  if ("failed" in connection) return connection;
  const turnEnd = places.length === 1 ? end : Math.min(end, Date.now() + here.times.place);
  const url = `${place.scheme}://127.0.0.1:${here.localPort}${path}`;
  const waits = () => say(`Waiting for ${host}: it is connected, and its page doesn't answer yet`);
  const unanswered = await whyUnanswered(url, connection, turnEnd, here, waits);
  if (unanswered === undefined && !here.stop.aborted) return { connection, place };
  await connection.end();
  return unanswered ?? {};
}

/** @returns undefined once the page answers. */
async function whyUnanswered(
  url: string,
  { ended }: Connection,
  end: number,
  { stop, times }: Here,
  waits: () => void,
): Promise<Unanswered | undefined> {
  let over: Unanswered | undefined;
  void ended.then((failed) => {
    over = { failed };
  });
  for (const began = Date.now(); Date.now() < end && !stop.aborted; ) {
    const status = await probe(url);
    if (over !== undefined) return over; // who answers is another program
    if (isAnswer(status, 500)) {
      await pause(stop, times.look);
      return over; // undefined but where it was another program's answer, while this connection was refused the port
    }
    if (Date.now() - began > times.quiet) waits();
    await pause(stop, times.look);
  }
  return over ?? {};
}
