import { setTimeout as sleep } from "node:timers/promises";
import { sshArguments, sshMachine } from "../../clients/ssh.ts";
import { formatDuration } from "../../core/duration.ts";
import { UsageError } from "../../core/errors.ts";
import { openBrowser } from "../browser.ts";
import { filesIfAny } from "../config.ts";
import { freePort, probe } from "../loopback.ts";
import { type OpenOptions, pageOf, SwarmPage } from "../options.ts";
import type { Outputs } from "../platform.ts";
import { outputsOf } from "../pulumi.ts";
import { dockerOf } from "./stack.ts";
import { machineOf, type Page, pageNamed } from "./swarm/pages.ts";
import { type Connection, type SshForward, startTunnel } from "./tunnel.ts";

/** ssh may have to ask for a password. */
const PATIENCE_MS = 2 * 60_000;
const PAUSE_MS = 3000;

/**
 * Opens a page of a stack on Docker. Where Docker is reached by ssh the page is on that machine's loopback, and this
 * stays until Ctrl-C, because the connection is its own.
 *
 * @throws UsageError when the stack has no such page, or it can't be reached.
 */
export async function openPage(stack: string, outputs: Outputs, options: OpenOptions): Promise<void> {
  const name = options.ui === undefined ? "dashboard" : pageOf(SwarmPage, options.ui, stack);
  const page = pageNamed(stack, outputs, name);
  const machine = await machineOf(dockerOf(stack));
  const token = name === "notebook" ? await notebookToken(stack) : undefined;
  if (machine === undefined) return openHere(stack, page, token, options);
  if (!machine.startsWith("ssh:")) throw noWay(stack, page, machine);
  const port = portOf(page);
  const localPort = await freePort(options.port, port);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  await stayConnected(
    stack,
    page,
    token,
    { machine: sshMachine(machine, filesIfAny(stack)?.config ?? {}), port, localPort },
    stop.signal,
  );
}

/** It is a secret, which `outputs` don't have. */
async function notebookToken(stack: string): Promise<string | undefined> {
  const { notebookToken: token } = await outputsOf(stack, { secrets: true });
  return typeof token === "string" ? token : undefined;
}

async function openHere(stack: string, page: Page, token: string | undefined, options: OpenOptions): Promise<void> {
  if (options.port !== undefined) {
    throw new UsageError(
      `--port is ${options.port}, and the pages of stack ${stack} are on this machine at ports of their own: "npx oneoff settings ${stack}" says which setting has them`,
    );
  }
  const status = await probe(page.url);
  if (status === undefined || status >= 502) {
    console.log(`${page.what} doesn't answer at ${page.url} yet: "docker service ls" shows what has started`);
  }
  show(stack, page, token, page.url);
}

/** The token goes to the browser alone: what is printed is often kept, and seen by others. */
function show(stack: string, { name, what }: Page, token: string | undefined, url: string): void {
  console.log(`${what}: ${url}`);
  const output = (key: string) => `"npx pulumi stack output ${key} --show-secrets --stack ${stack}"`;
  if (token !== undefined) console.log(`The browser gets its token; ${output("notebookToken")} shows it.`);
  if (name === "mongo")
    console.log(`It asks for user oneoff and a password: ${output("mongoExpressPassword")} shows it.`);
  openBrowser(token === undefined ? url : withToken(url, token));
}

function withToken(address: string, token: string): string {
  const url = new URL(address);
  if (!/\/lab\/?$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/$/, "")}/lab`;
  url.searchParams.set("token", token);
  return url.href;
}

const portOf = ({ url }: Page): number => Number(new URL(url).port || 80);

function noWay(stack: string, page: Page, machine: string): UsageError {
  const { hostname } = new URL(machine);
  const port = portOf(page);
  return new UsageError(
    `Docker is at ${machine}, and the pages of stack ${stack} are on the loopback of that machine alone: "ssh -N -L ${port}:127.0.0.1:${port} ${hostname}" leads to ${page.url}; with docker:host "ssh://${hostname}" this command does it`,
  );
}

/** Keeps a page connected until it is stopped: a connection ends with the network, and then there is another. */
export async function stayConnected(
  stack: string,
  page: Page,
  token: string | undefined,
  tunnel: SshForward,
  stop: AbortSignal,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const url = new URL(page.url);
  url.host = `127.0.0.1:${tunnel.localPort}`;
  const stopped = new Promise<undefined>((resolve) => stop.addEventListener("abort", () => resolve(undefined)));
  for (let first = true; !stop.aborted; ) {
    const connection = startTunnel(tunnel);
    const problem = await answers(connection, url.href, stop, patienceMs);
    if (stop.aborted) return connection.end();
    if (problem === undefined) {
      if (first) {
        console.log(`A connection by ssh leads to ${tunnel.machine.address}. Ctrl-C closes it.`);
        show(stack, page, token, url.href);
      } else console.log("It is connected again.");
      first = false;
      const reason = await Promise.race([connection.ended, stopped]);
      if (stop.aborted) return connection.end();
      console.log(`The connection has ended (${reason}); connecting again`);
    } else if (first) {
      await connection.end();
      throw new UsageError(
        `${page.what} can't be reached through ${tunnel.machine.address}: ${problem}; "ssh ${sshArguments(tunnel.machine).join(" ")}" must work`,
      );
    } else await connection.end();
    await sleep(PAUSE_MS, undefined, { signal: stop }).catch(() => {});
  }
}

/** @returns undefined once the page answers through a connection, or why it doesn't. */
async function answers(
  connection: Connection,
  url: string,
  stop: AbortSignal,
  patienceMs: number,
): Promise<string | undefined> {
  let over: string | undefined;
  void connection.ended.then((reason) => {
    over = reason;
  });
  for (const end = Date.now() + patienceMs; Date.now() < end && !stop.aborted; ) {
    if (over !== undefined) return over;
    const status = await probe(url);
    if (status !== undefined && over === undefined) return undefined;
    await sleep(200, undefined, { signal: stop }).catch(() => {});
  }
  return over ?? `there was no answer within ${formatDuration(patienceMs / 1000)}`;
}
