import { UsageError } from "../../core/errors.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { clearHome, KILLED } from "../../provider/cluster.ts";
import { isAlive, registered, stop } from "../../provider/process.ts";
import { checkPageUrl } from "../outputs.ts";
import type { Attached, StackContext } from "../platform.ts";
import type { LocalOutputs } from "./outputs.ts";

/** The cluster of a stack whose job runs on this machine. */
export async function attach(stack: StackContext, { run, lake: folder, dashboard }: LocalOutputs): Promise<Attached> {
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
    pages: async () => (dashboard === undefined ? [] : [{ name: "dashboard", title: "Dashboard", address: dashboard }]),
    async route() {
      if (dashboard === undefined) throw new UsageError(`stack ${stack.name} has no dashboard`);
      const hint = `"npx --no oneoff up ${stack.name}" starts it again`;
      return { title: "Dashboard", url: checkPageUrl(stack.name, "dashboard", dashboard), hint };
    },
  };
}
