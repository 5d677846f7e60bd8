import { formatDuration } from "../../core/duration.ts";
import { UsageError } from "../../core/errors.ts";
import { openBrowser } from "../browser.ts";
import { regionOf } from "../config.ts";
import { freePort, probe } from "../loopback.ts";
import { EmrPage, type OpenOptions, pageOf } from "../options.ts";
import type { Outputs } from "../platform.ts";
import { pause, progressPrinter, stopSignal } from "../waiting.ts";
import { clusterPage, dashboardPage, type Page, type PageAddress } from "./pages.ts";
import { GET_PLUGIN, pluginVersion, type Session, startSession } from "./session.ts";

const PATIENCE_MS = 5 * 60_000;
/** For one of several places where a page may be. */
const PLACE_MS = 6000;
/** Between two looks whether the page answers. */
const LOOK_MS = 1000;

/**
 * Opens a page of an instance that has no open port: through SSM, on a port of this machine, until Ctrl-C.
 * @throws UsageError when what it takes is missing, or the page is no more or doesn't answer.
 */
export async function openPage(stack: string, outputs: Outputs, options: OpenOptions): Promise<void> {
  const ui = options.ui === undefined ? undefined : pageOf(EmrPage, options.ui, stack);
  const plugin = await pluginVersion();
  if (plugin === undefined) throw new UsageError(`session-manager-plugin is not on PATH: ${GET_PLUGIN}`);
  const region = regionOf(stack, outputs);
  const page = ui === undefined ? dashboardPage(stack, outputs, region) : await clusterPage(stack, outputs, region, ui);
  const localPort = await freePort(options.port, page.places[0].port);
  await stayConnected(page, localPort, plugin, stopSignal());
}

/**
 * A session ends when nobody used it for a while, and with the network: then there is another, until it is stopped.
 * @throws UsageError when the page doesn't answer in time.
 */
export async function stayConnected(
  page: Page,
  localPort: number,
  plugin: string,
  stop: AbortSignal,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  let { places } = page;
  for (let first = true; !stop.aborted; first = false) {
    const connection = await connected({ ...page, places }, localPort, plugin, stop, patienceMs);
    if (!connection) return;
    const { session, place } = connection;
    places = [place]; // the browser has its address by now
    if (first) show(page, place, localPort);
    else console.log("It is connected again.");
    const stopped = new Promise<undefined>((resolve) => stop.addEventListener("abort", () => resolve(undefined)));
    const reason = await Promise.race([session.ended, stopped]);
    if (stop.aborted) return session.end();
    console.log(`The connection has ended (${reason}); connecting again`);
  }
}

function show({ what, path }: Page, { scheme }: PageAddress, localPort: number): void {
  const url = `${scheme}://127.0.0.1:${localPort}${path}`;
  console.log(`${what}: ${url}`);
  if (scheme === "https") console.log("The browser will warn of its certificate, which was made for the cluster.");
  console.log("Ctrl-C closes the connection.");
  openBrowser(url);
}

/** A session through which the page answers; undefined when it was stopped. */
async function connected(
  page: Page,
  localPort: number,
  plugin: string,
  stop: AbortSignal,
  patienceMs: number,
): Promise<{ readonly session: Session; readonly place: PageAddress } | undefined> {
  const say = progressPrinter();
  const { places } = page;
  let last = "";
  let turn = 0;
  for (const end = Date.now() + patienceMs; Date.now() < end && !stop.aborted; ) {
    const place = places[turn % places.length] as PageAddress;
    const session = await trySession(page, place, localPort, plugin);
    if (typeof session === "string") {
      last = session;
      say(`Waiting for ${page.instance}: ${session}`);
      await pause(stop);
      continue;
    }
    const turnEnd = places.length === 1 ? end : Math.min(end, Date.now() + PLACE_MS);
    const url = `${place.scheme}://127.0.0.1:${localPort}${page.probe}`;
    const answer = await answers(page, url, session, turnEnd, stop, say);
    if (answer === undefined && !stop.aborted) return { session, place };
    last = answer ?? last;
    turn++;
    await session.end();
  }
  if (stop.aborted) return undefined;
  throw new UsageError(
    `${page.what} didn't answer within ${formatDuration(patienceMs / 1000)}: ${last}; its instance is ${page.instance}, and what it printed is to be had by "aws ec2 get-console-output --instance-id ${page.instance}"`,
  );
}

/** @returns a session, or why there is none yet. */
async function trySession(
  page: Page,
  place: PageAddress,
  localPort: number,
  plugin: string,
): Promise<Session | string> {
  const { region, instance } = page;
  const { port, host } = place;
  try {
    return await startSession({ region, instance, port, host, localPort }, plugin);
  } catch (error) {
    if ((error as Error).name !== "TargetNotConnected") throw error;
    return `${await page.state()}, and SSM doesn't reach it yet (TargetNotConnected)`;
  }
}

/** @returns undefined once the page answers, or why it doesn't. */
async function answers(
  page: Page,
  url: string,
  session: Session,
  end: number,
  stop: AbortSignal,
  say: (text: string) => void,
): Promise<string | undefined> {
  let over: string | undefined;
  void session.ended.then((printed) => {
    over = printed;
  });
  while (Date.now() < end && !stop.aborted) {
    const status = await probe(url);
    if (status !== undefined && status < 500) return undefined;
    if (over !== undefined) {
      await pause(stop);
      break;
    }
    say(`Waiting for ${page.instance}: it is connected, and its page doesn't answer yet`);
    await pause(stop, LOOK_MS);
  }
  if (stop.aborted) return undefined;
  const ports = new Set(page.places.map(({ port }) => port));
  return over === undefined
    ? `there is no answer on port ${[...ports].join(" or ")}`
    : `session-manager-plugin ended: ${over}`;
}
