import { lakeLayout } from "../../core/lake-layout.ts";
import { lakeState, processesIn } from "../../provider/lake.ts";
import { stop } from "../../provider/process.ts";
import type { StackFiles } from "../config.ts";
import type { Leftover } from "../platform.ts";
import { notAutomated } from "../removal.ts";

const Order = { processes: 10, folder: 20 } as const;

/** What is left of a stack on this machine: all that it has lies or runs in the folder of its lake, which says whose it is. */
export function localLeftovers({ project, stack }: StackFiles, lake: string): readonly Leftover[] {
  const state = lakeState(lake);
  const found = { kind: "lake", id: lake, order: Order.folder };
  const { marker } = lakeLayout(lake);
  if (state.is === "unreadable") {
    return [{ ...found, unsure: `${marker} can't be read (${state.problem})`, remove: notAutomated("") }];
  }
  if (state.is === "none") return [];
  const [, ofStack, ofProject] = /^urn:pulumi:([^:]+)::([^:]+)::/.exec(state.owner ?? "") ?? [];
  if (state.owner === undefined) return [{ ...found, kept: true, remove: notAutomated("") }];
  if (ofStack !== stack || ofProject !== project) return [];
  const processes = processesIn(lake).map(({ home, id }) => ({
    kind: "process",
    id: `${id.pid} (${home})`,
    order: Order.processes,
    remove: () => stop(id),
  }));
  return [
    ...processes,
    {
      ...found,
      remove: notAutomated(
        `"npx pulumi up --stack ${stack}" takes it up again, then "npx pulumi destroy --stack ${stack}" does`,
      ),
    },
  ];
}
