import { readJson } from "../../../clients/lake/read.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { NodeRole } from "../../../core/node-role.ts";
import { RunRecord } from "../../../core/run.ts";
import { pause } from "../../waiting.ts";
import { GONE, type Machine } from "./machines.ts";
import { type Asked, ask } from "./requests.ts";

/** Where a run is to be ended. */
export interface CancelOnFleet extends Omit<Asked, "id" | "stop"> {
  /** The fleet's machines as EC2 has them. */
  readonly machines: () => Promise<readonly Machine[]>;
  /** How long the driver has, in milliseconds. @default a minute: it looks for the request every five seconds */
  readonly patienceMs?: number;
}

const POLL_MS = 2000;
const PATIENCE_MS = 60_000;

/** Waits for the run's driver, which looks for the request itself; one that doesn't end is ended by the fleet's head, if there is one. */
export async function cancelOnFleet(
  { machines, patienceMs = PATIENCE_MS, ...asked }: CancelOnFleet,
  run: string,
): Promise<void> {
  const stop = new AbortController().signal;
  const { lake, say, pollMs = POLL_MS } = asked;
  const ends = Date.now() + patienceMs;
  const isThere = async () =>
    (await machines()).some(({ role, state }) => role === NodeRole.head && !GONE.includes(state));
  while (await isThere()) {
    const record = RunRecord.safeParse(await readJson(lake, `${Prefix.runs}/${run}.json`)).data;
    if (record && record.state !== "running") return;
    if (Date.now() > ends) {
      say("The run's driver doesn't end by itself: the fleet's head is asked to end it.");
      await ask({ ...asked, stop, id: `cancel-${run}` }, { command: "cancel", asked: new Date().toISOString(), run });
      return;
    }
    await pause(stop, pollMs);
  }
}
