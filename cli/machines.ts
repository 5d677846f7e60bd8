/** What kinds of clusters say alike of the machines of a run. */
import type { RunStatus } from "../core/run.ts";
import type { Machines } from "./platform.ts";

/** The machines of a run whose stack is for another one now. */
export const replaced = ({ started, deadline }: RunStatus): Machines => ({
  started,
  over: { error: "another run took its place before it ended", at: deadline },
});

/** Why a run is over that still says that it goes on so long after its deadline; undefined before that. */
export const overdue = ({ deadline }: RunStatus, graceMs: number, error: string): Machines["over"] =>
  deadline !== undefined && Date.now() > Date.parse(deadline) + graceMs ? { error, at: deadline } : undefined;
