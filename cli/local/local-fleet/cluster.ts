import { UsageError } from "../../../core/errors.ts";
import { checkPageUrl } from "../../outputs.ts";
import type { Attached, Page, Route, StackContext } from "../../platform.ts";
import { withToken } from "../../token.ts";
import { attachRun, upAgain } from "../cluster.ts";
import type { FleetOutputs } from "./outputs.ts";

/** What pages are called, by the outputs that have their addresses, in the order they are shown. */
const TITLES = {
  dashboard: "Dashboard",
  spark: "Spark",
  yarn: "YARN",
  history: "Spark's history",
  hdfs: "HDFS",
  jupyter: "JupyterLab",
  app: "Scoring",
} as const;
type PageName = keyof typeof TITLES;

/** Settings that decide whether there is a page. */
const SETTINGS: Partial<Readonly<Record<PageName, string>>> = {
  spark: "scheduler",
  yarn: "scheduler",
  jupyter: "notebook",
  app: "app",
};

/** The fleet of a stack whose processes are on this machine. */
export async function attach(stack: StackContext, outputs: FleetOutputs): Promise<Attached> {
  return {
    ...(await attachRun(stack, outputs)),
    pages: async () => pagesOf(stack.name, outputs),
    route: (name) => routeTo(stack, outputs, name as PageName),
  };
}

const pagesOf = (stack: string, outputs: FleetOutputs): readonly Page[] =>
  (Object.keys(TITLES) as PageName[]).flatMap((name) => {
    const url = outputs[name];
    if (url === undefined) return [];
    const address = name === "jupyter" ? `${url} (npx --no oneoff open ${stack} --ui jupyter has its token)` : url;
    return [{ name, title: TITLES[name], address }];
  });

async function routeTo(stack: StackContext, outputs: FleetOutputs, name: PageName): Promise<Route> {
  const address = outputs[name];
  if (address === undefined) {
    const setting = SETTINGS[name];
    const cure =
      setting !== undefined
        ? `oneoff:${setting} decides about it`
        : `"npx --no oneoff status ${stack.name}" lists those that there are`;
    throw new UsageError(`stack ${stack.name} has no ${TITLES[name] ?? `page ${name}`}: ${cure}`);
  }
  const url = checkPageUrl(stack.name, name, address);
  const route = { title: TITLES[name], url, hint: upAgain(stack.name) };
  if (name !== "jupyter") return route;
  const { notebookToken: token } = await stack.secrets(); // the outputs don't have it
  if (typeof token !== "string") return route;
  const shows = `"npx pulumi stack output notebookToken --show-secrets --stack ${stack.name}" shows it.`;
  return { ...route, notes: [`The browser gets its token; ${shows}`], browse: (url) => withToken(url, token) };
}
