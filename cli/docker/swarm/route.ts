import type { Docker } from "../../../clients/docker.ts";
import { type Machine, sshArguments, sshMachine } from "../../../clients/ssh.ts";
import { UsageError } from "../../../core/errors.ts";
import { checkPageUrl } from "../../outputs.ts";
import type { Route, StackContext, Tunnel } from "../../platform.ts";
import { withToken } from "../../token.ts";
import { startTunnel } from "../../tunnel.ts";
import { machineOf } from "../stack.ts";
import type { SwarmOutputs } from "./outputs.ts";
import { type PageName, pageNamed, type SwarmPage } from "./pages.ts";

/** ssh may have to ask for a password. */
const PATIENCE_MS = 2 * 60_000;
const HINT = '"docker service ls" shows what has started';

/**
 * What leads to a page of a stack on Docker: where Docker is reached by ssh, the page is on that machine's loopback.
 * @throws UsageError when the stack has no such page, or it can't be reached.
 */
export async function routeTo(
  stack: StackContext,
  outputs: SwarmOutputs,
  docker: Docker,
  name: string,
): Promise<Route> {
  const page = pageNamed(stack.name, outputs, name as PageName);
  checkPageUrl(stack.name, name, page.url);
  const address = await machineOf(docker);
  if (address !== undefined && !address.startsWith("ssh:")) throw noWay(stack.name, page, address);
  const route = {
    title: page.title,
    url: page.url,
    hint: HINT,
    ...(await loginTo(stack, page)),
  };
  if (address === undefined) return route;
  const machine = sshMachine(address, stack.files.config);
  const notes = [`A connection by ssh leads to ${address}.`, ...(route.notes ?? [])];
  return { ...route, notes, tunnel: tunnelTo(page, machine) };
}

function tunnelTo({ url, title }: SwarmPage, machine: Machine): Tunnel {
  const port = portOf(url);
  const must = `"ssh ${sshArguments(machine).join(" ")}" must work`;
  return {
    places: [{ scheme: "http", port, connect: async (localPort) => startTunnel({ machine, port, localPort }) }],
    host: machine.address,
    patienceMs: PATIENCE_MS,
    probe: new URL(url).pathname,
    // At first it is asked for a cure; later the network may have gone for a while.
    whyNever: (problem, isFirst) =>
      isFirst ? new UsageError(`${title} can't be reached through ${machine.address}: ${problem}; ${must}`) : undefined,
    advice: `${HINT} there`,
  };
}

/** The token goes to the browser alone: what is printed is often kept, and seen by others. */
async function loginTo(stack: StackContext, { name }: SwarmPage): Promise<Pick<Route, "notes" | "browse">> {
  const shows = (key: string) => `"npx pulumi stack output ${key} --show-secrets --stack ${stack.name}" shows it.`;
  if (name === "mongo") return { notes: [`It asks for user oneoff and a password: ${shows("mongoExpressPassword")}`] };
  if (name !== "notebook") return {};
  const { notebookToken: token } = await stack.secrets(); // the outputs don't have it
  if (typeof token !== "string") return {};
  return {
    notes: [`The browser gets its token; ${shows("notebookToken")}`],
    browse: (url) => withToken(url, token),
  };
}

const portOf = (url: string): number => Number(new URL(url).port || 80);

function noWay(stack: string, { url }: SwarmPage, machine: string): UsageError {
  const { hostname } = new URL(machine);
  const port = portOf(url);
  return new UsageError(
    `Docker is at ${machine}, and the pages of stack ${stack} are on the loopback of that machine alone: "ssh -N -L ${port}:127.0.0.1:${port} ${hostname}" leads to ${url}; with docker:host "ssh://${hostname}" this command does it`,
  );
}
