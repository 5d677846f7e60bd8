import type { Docker } from "../../../clients/docker.ts";
import { UsageError } from "../../../core/errors.ts";
import type { Page, StackContext } from "../../platform.ts";
import { machineOf } from "../stack.ts";
import type { SwarmOutputs } from "./outputs.ts";

/** What pages are called, by the outputs that have their addresses, in the order they are shown. */
const TITLES = {
  dashboard: "Dashboard",
  spark: "Spark",
  history: "Spark's history",
  hdfs: "HDFS",
  notebook: "JupyterLab",
  mongo: "mongo-express",
} as const;

/** A page of a stack, by the output that has its address. */
export type PageName = keyof typeof TITLES;

/** A page that a stack has. */
export interface SwarmPage {
  readonly name: PageName;
  readonly title: string;
  /** Its address on the machine of the daemon that the stack is on. */
  readonly url: string;
}

/** @throws UsageError when the stack has none of that name. */
export function pageNamed(stack: string, outputs: SwarmOutputs, name: PageName): SwarmPage {
  const url = outputs[name];
  if (url !== undefined) return { name, title: TITLES[name], url };
  if (name === "dashboard") {
    throw new UsageError(
      `stack ${stack} has no dashboard of its own, because its lake is no folder: --ui spark is the page of its cluster`,
    );
  }
  throw new UsageError(
    `stack ${stack} has no ${TITLES[name]}: oneoff:${name} decides about it, "npx --no oneoff settings ${stack}" says how`,
  );
}

/** Where to look at a stack: addresses on this machine, else the commands that lead to them. */
export async function pagesOf(
  { name: stack }: StackContext,
  outputs: SwarmOutputs,
  docker: Docker,
): Promise<readonly Page[]> {
  const isHere = (await machineOf(docker).catch(() => undefined)) === undefined;
  const names = (Object.keys(TITLES) as PageName[]).filter((name) => outputs[name] !== undefined);
  return names.map((name) => {
    const { title, url } = pageNamed(stack, outputs, name);
    const command = `npx --no oneoff open ${stack}${name === "dashboard" ? "" : ` --ui ${name}`}`;
    if (!isHere) return { name, title, address: command };
    return { name, title, address: name === "notebook" ? `${url} (${command} has its token)` : url };
  });
}
