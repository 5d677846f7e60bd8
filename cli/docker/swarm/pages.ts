import type { Docker } from "../../../clients/docker.ts";
import { UsageError } from "../../../core/errors.ts";
import type { SwarmPage } from "../../options.ts";
import type { Outputs } from "../../platform.ts";

/** A page of a stack, by the output that has its address. */
export type PageName = SwarmPage | "dashboard";

/** What pages are called, in the order they are shown. */
const NAMES: Readonly<Record<PageName, string>> = {
  dashboard: "Dashboard",
  spark: "Spark",
  history: "Spark's history",
  hdfs: "HDFS",
  notebook: "JupyterLab",
  mongo: "mongo-express",
};

/** A page that a stack has. */
export interface Page {
  readonly name: PageName;
  /** Such as "JupyterLab". */
  readonly what: string;
  /** Its address on the machine of the daemon that the stack is on. */
  readonly url: string;
}

/** @throws UsageError when the stack has none of that name. */
export function pageNamed(stack: string, outputs: Outputs, name: PageName): Page {
  const url = outputs[name];
  if (typeof url === "string") return { name, what: NAMES[name], url };
  if (name === "dashboard") {
    throw new UsageError(
      `stack ${stack} has no dashboard of its own, because its lake is no folder: --ui spark is the page of its cluster`,
    );
  }
  throw new UsageError(
    `stack ${stack} has no ${NAMES[name]}: oneoff:${name} decides about it, "npx oneoff settings ${stack}" says how`,
  );
}

const pagesOf = (stack: string, outputs: Outputs): readonly Page[] =>
  (Object.keys(NAMES) as PageName[])
    .filter((name) => typeof outputs[name] === "string")
    .map((name) => pageNamed(stack, outputs, name));

/** Where to look at a stack: addresses on this machine, else the commands that lead to them. */
export async function swarmPages(stack: string, outputs: Outputs, docker: Docker) {
  const machine = await machineOf(docker).catch(() => undefined);
  return pagesOf(stack, outputs).map(({ name, what, url }) => {
    const command = `npx oneoff open ${stack}${name === "dashboard" ? "" : ` --ui ${name}`}`;
    if (machine !== undefined) return { what, address: command };
    return { what, address: name === "notebook" ? `${url} (${command} has its token)` : url };
  });
}

/** The address of a stack's daemon where that is on another machine, whose loopback its pages are on. */
export async function machineOf(docker: Docker): Promise<string | undefined> {
  const address = await docker.address();
  if (/^(unix|npipe|fd):/.test(address) || !URL.canParse(address)) return undefined;
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(address).hostname) ? undefined : address;
}
