import { NodeRole } from "../../../core/node-role.ts";
import type { RunStatus } from "../../../core/run.ts";
import type { Attached, Machines, StackContext } from "../../platform.ts";
import { explainErrors } from "../client.ts";
import { openLake } from "../lake.ts";
import { cancelOnFleet } from "./cancel.ts";
import { identityOf } from "./fleet.ts";
import { FleetCloud, GONE } from "./machines.ts";
import type { FleetOutputs } from "./outputs.ts";
import { pagesOf, routeTo } from "./pages.ts";

const POLL_MS = 5000;

/** The fleet of a stack whose job its head runs. */
export function attach(stack: StackContext, outputs: FleetOutputs): Attached {
  const lake = openLake(stack, outputs.lake);
  const cloud = new FleetCloud(identityOf(stack, outputs));
  return {
    run: outputs.run,
    lake,
    pollMs: POLL_MS,
    bill: outputs.bill,
    machines: (_, recorded) => explainErrors(machinesOf(stack.name, cloud, recorded)),
    cancel: (run, say) =>
      explainErrors(cancelOnFleet({ lake, fleet: outputs.fleet, machines: () => cloud.machines(), say }, run)),
    pages: async () => pagesOf(stack, outputs),
    route: (name) => explainErrors(routeTo(stack, outputs, lake, name)),
  };
}

/** A run is what its record says, unless who writes that is no more. */
async function machinesOf(
  stack: string,
  cloud: FleetCloud,
  recorded: RunStatus | undefined,
): Promise<Machines | undefined> {
  if (recorded?.state !== "running") return undefined;
  const head = (await cloud.machines()).find(({ role }) => role === NodeRole.head);
  const { started } = recorded;
  if (head && !GONE.includes(head.state)) return { started };
  const what = head ? `is ${head.state}` : "is no more";
  return { started, over: { error: `the fleet's head ${what}: "npx --no oneoff run ${stack}" computes again` } };
}
