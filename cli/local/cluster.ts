import { UsageError } from "../../core/errors.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { clearHome, KILLED } from "../../provider/cluster.ts";
import { isAlive, registered, stop } from "../../provider/process.ts";
import { checkPageUrl } from "../outputs.ts";
import type { Attached, StackContext } from "../platform.ts";
import type { LocalOutputs } from "./outputs.ts";

/** The cluster of a stack whose job runs on this machine. */
export async function attach(stack: StackContext, outputs: LocalOutputs): Promise<Attached> {
  const { dashboard } = outputs;
  return {
    ...(await attachRun(stack, outputs)),
    pages: async () => (dashboard === undefined ? [] : [{ name: "dashboard", title: "Dashboard", address: dashboard }]),
    async route() {
      if (dashboard === undefined) throw new UsageError(`stack ${stack.name} has no dashboard`);
      return { title: "Dashboard", url: checkPageUrl(stack.name, "dashboard", dashboard), hint: upAgain(stack.name) };
    },
  };
}

/** What brings back a process that has died. */
export const upAgain = (stack: string): string => `"npx --no oneoff up ${stack}" starts it again`;

/** A run whose driver is a process of this machine, wherever its Spark is. */
export async function attachRun(
  stack: StackContext,
  { run, lake: folder }: Pick<LocalOutputs, "run" | "lake">,
): Promise<Omit<Attached, "pages" | "route">> {
  return {
    run,
    lake: await stack.openLake(folder),
    pollMs: 250,
    async machines(run, recorded) {
      if (recorded?.state !== "running") return undefined;
      const isThere = isAlive(registered(lakeLayout(folder).cluster(run)));
      return { started: recorded.started, ...(!isThere && { over: { error: KILLED } }) };
    },
    async cancel(run) {
      const home = lakeLayout(folder).cluster(run);
      await stop(registered(home)); // its driver looks for the request, and says what became of the run
      clearHome(home);
    },
  };
}
