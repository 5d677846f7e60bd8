/** What kinds of clusters say alike of the machines of a run. */
import { readJson } from "../clients/lake/read.ts";
import type { LakeStore } from "../clients/lake/store.ts";
import { cancelKey } from "../core/lake-layout.ts";
import { CancelRequest, cancelledError, type RunStatus } from "../core/run.ts";
import type { Machines } from "./platform.ts";

/** The machines of a run whose stack is for another one now. */
export const replaced = ({ started, deadline }: RunStatus): Machines => ({
  started,
  over: { error: "another run took its place before it ended", at: deadline },
});

/** Why a run is over that still says that it goes on so long after its deadline; undefined before that. */
export const overdue = ({ deadline }: RunStatus, graceMs: number, error: string): Machines["over"] =>
  deadline !== undefined && Date.now() > Date.parse(deadline) + graceMs ? { error, at: deadline } : undefined;

/**
 * What machines say of a run. Where they can do no more for one that was asked to be cancelled before, and its record doesn't
 * say what became of it, then that did.
 */
export async function orCancelled(
  lake: LakeStore,
  run: string,
  recorded: RunStatus | undefined,
  machines: Machines,
): Promise<Machines> {
  const { outcome, over } = machines;
  if (recorded && recorded.state !== "running") return machines;
  const failure = outcome?.state === "failed" ? outcome : outcome ? undefined : over;
  const request = failure && (await requestFor(lake, run));
  if (!failure || !request || (failure.at && Date.parse(failure.at) < Date.parse(request.at))) return machines;
  const steps = machines.steps?.map((step) =>
    step.state === "failed" ? { ...step, state: "cancelled" as const } : step,
  );
  return {
    ...machines,
    ...(steps && { steps }),
    outcome: { state: "cancelled", error: cancelledError(request), at: failure.at },
  };
}

/** Undefined where nobody asked for the run to be cancelled. */
export const requestFor = async (lake: LakeStore, run: string): Promise<CancelRequest | undefined> =>
  CancelRequest.safeParse(await readJson(lake, cancelKey(run))).data;
