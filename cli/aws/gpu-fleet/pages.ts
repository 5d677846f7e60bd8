/** Pages of a fleet: the head leads to them by SSH, in the account of whoever looks. */

import type { LakeStore } from "../../../clients/lake/store.ts";
import { onMachine } from "../../../clients/ssh.ts";
import { TransientError, UsageError } from "../../../core/errors.ts";
import type { NodeReport } from "../../../core/fleet-lake.ts";
import { NodeRole } from "../../../core/node-role.ts";
import type { Page, Route, StackContext } from "../../platform.ts";
import { type SshFiles, writeSshFiles } from "../../ssh-files.ts";
import { withToken } from "../../token.ts";
import { startTunnel } from "../../tunnel.ts";
import { dashboardRoute } from "../dashboard.ts";
import { neededPlugin } from "../session.ts";
import { entranceOf } from "./entrance.ts";
import { identityOf, seeFleet } from "./fleet.ts";
import { FleetCloud } from "./machines.ts";
import type { FleetOutputs } from "./outputs.ts";
import { checkHead } from "./requests.ts";
import { nodesOf } from "./seen.ts";
import { toldUsers } from "./users.ts";

/** Those of the head, by the names that `--ui` takes. */
const TITLES = {
  spark: "Spark",
  yarn: "YARN",
  history: "Spark's history",
  hdfs: "HDFS",
  jupyter: "JupyterLab",
  app: "Scoring",
} as const;
type PageName = keyof typeof TITLES;

/** Settings that decide whether there is a page, where that is known beforehand. */
const SETTINGS: Partial<Readonly<Record<PageName, string>>> = { spark: "scheduler", yarn: "scheduler", app: "app" };

/** Whether the fleet is one that has it. */
function has({ yarn, app }: FleetOutputs, page: string): boolean {
  if (page === "spark") return yarn === undefined;
  if (page === "yarn") return yarn !== undefined;
  return page !== "app" || app !== undefined;
}

const PATIENCE_MS = 2 * 60_000;
const TOKEN = "~/.oneoff/notebook-token";

/** None has an open port, so the commands that lead there. */
export const pagesOf = ({ name }: StackContext, outputs: FleetOutputs): readonly Page[] => [
  ...(outputs.dashboardInstance === undefined
    ? []
    : [{ name: "dashboard", title: "Dashboard", address: `npx --no oneoff open ${name}` }]),
  ...Object.entries(TITLES)
    .filter(([page]) => has(outputs, page))
    .map(([page, title]) => ({ name: page, title, address: `npx --no oneoff open ${name} --ui ${page}` })),
];

/** @throws UsageError when the fleet has no such page, or nothing here leads to it. */
export async function routeTo(
  stack: StackContext,
  outputs: FleetOutputs,
  lake: LakeStore,
  name: string,
): Promise<Route> {
  if (name === "dashboard") return dashboardRoute(stack, outputs);
  const page = name as PageName;
  if (!has(outputs, page)) {
    throw new UsageError(`stack ${stack.name} has no ${TITLES[page]}: oneoff:${SETTINGS[page]} decides about it`);
  }
  await neededPlugin();
  const identity = identityOf(stack, outputs);
  const seen = await seeFleet(stack.name, outputs, new FleetCloud(identity), lake);
  checkHead(seen);
  const head = nodesOf(seen).find(({ machine }) => machine.role === NodeRole.head);
  const entrance = entranceOf(seen, identity.region, await toldUsers(lake, outputs.fleet));
  const files = writeSshFiles(stack.name, entrance);
  const { host, port } = placeOf(stack.name, page, head?.report as NodeReport, files.user);
  const machine = { address: `ssh://${head?.name}`, options: ["-F", files.config] };
  const token = page === "jupyter" ? await tokenOf(machine, files.user) : undefined;
  return {
    title: TITLES[page],
    url: `http://127.0.0.1:${port}${page === "jupyter" ? "/lab" : ""}`,
    ...(token !== undefined && {
      notes: [`The browser gets the token of ${files.user}, which is in ${TOKEN} there.`],
      browse: (url: string) => withToken(url, token),
    }),
    tunnel: {
      places: [{ scheme: "http", port, connect: async (localPort) => startTunnel({ machine, host, port, localPort }) }],
      host: `${head?.name}`,
      patienceMs: PATIENCE_MS,
      probe: "/",
      whyNever: (problem) => whyNever(problem, stack.name, files),
      advice: `"ssh -v -F ${files.config} ${head?.name}" says more`,
    },
  };
}

/** Where the head has a page. */
function placeOf(stack: string, page: PageName, { pages, notebooks }: NodeReport, user: string) {
  const own = notebooks.find((notebook) => notebook.user === user);
  const place = page === "jupyter" ? own && `127.0.0.1:${own.port}` : pages[page];
  const [, host, port] = /^([\w.-]+):(\d+)$/.exec(place ?? "") ?? [];
  if (host !== undefined) return { host, port: Number(port) };
  throw new UsageError(
    page === "jupyter"
      ? `${user} has no JupyterLab on the fleet of stack ${stack}: it comes a minute after its user, where oneoff:notebook isn't false`
      : `the fleet of stack ${stack} has no page ${page} just now: "npx --no oneoff fleet status ${stack}" tells what runs there`,
  );
}

/** It goes to the browser alone: what is printed is often kept, and seen by others. */
async function tokenOf(machine: Parameters<typeof onMachine>[0], user: string): Promise<string> {
  const token = (await onMachine(machine, `cat ${TOKEN}`)).toString().trim();
  if (token !== "") return token;
  throw new TransientError(`JupyterLab of ${user} has no token yet: try again in a minute`);
}

function whyNever(problem: string, stack: string, { config, user }: SshFiles): UsageError | undefined {
  if (!/permission denied|host key verification|is not on PATH/i.test(problem)) return undefined;
  return new UsageError(
    `${problem}: "ssh -F ${config} head" must work without a question, with the key that "npx --no oneoff fleet users list ${stack}" shows of ${user}`,
  );
}
