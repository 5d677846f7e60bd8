/** What is asked of a fleet's head by the lake, and what it answers (ADR 19). */
import { readJson } from "../../../clients/lake/read.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { InterruptedError, TransientError, UsageError } from "../../../core/errors.ts";
import { FleetAnswer, type FleetRequest, fleetKeys } from "../../../core/fleet-lake.ts";
import { NodeRole } from "../../../core/node-role.ts";
import { pause } from "../../waiting.ts";
import { secondsBetween } from "../../when.ts";
import { isSilent, minutes, nodesOf, type SeenFleet } from "./seen.ts";

/** A request that is under way. */
export interface Asked {
  readonly lake: LakeStore;
  readonly fleet: string;
  /** Names the request. */
  readonly id: string;
  readonly say: (line: string) => void;
  readonly stop: AbortSignal;
  /** How often to look for the answer, in milliseconds. @default 2 seconds */
  readonly pollMs?: number;
}

/** The head looks every five seconds, and answers every two while it works. */
const POLL_MS = 2000;
const SLOW_SECONDS = 60;
const LOST_SECONDS = 600;

/** @throws UsageError, or TransientError where that passes, when the head can't be asked anything. */
export function checkHead(seen: SeenFleet): void {
  const { stack } = seen;
  const head = nodesOf(seen).find(({ machine }) => machine.role === NodeRole.head);
  if (!head) throw new UsageError(`the fleet of stack ${stack} has no head: "npx --no oneoff up ${stack}" makes one`);
  const { report, silent, machine } = head;
  if (machine.state === "stopped" || machine.state === "stopping") {
    throw new UsageError(`the fleet of stack ${stack} is asleep: "npx --no oneoff fleet wake ${stack}" starts it`);
  }
  if (report?.state === "failed")
    throw new UsageError(`the fleet's head failed: ${report.problem ?? "it doesn't say why"}`);
  if (report?.state === "ready" && !isSilent(head)) return;
  const why = report?.state === "ready" ? `sent no word for ${minutes(silent)}` : "is being set up";
  throw new TransientError(
    `the fleet's head ${why}: "npx --no oneoff fleet status ${stack}" tells when it is there again`,
  );
}

/**
 * Asks, tells what is said meanwhile, and returns what the script printed. Request and answer are gone then.
 * @throws as the script: UsageError for what it refused, TransientError for what may go well another time; InterruptedError when it was
 * stopped.
 */
export async function ask(asked: Asked, request: FleetRequest): Promise<unknown> {
  const { lake, fleet, id } = asked;
  const keys = fleetKeys(fleet);
  await lake.create(keys.request(id), JSON.stringify(request));
  const answer = await follow(asked);
  if (answer === undefined || answer.state === "running") return leave(asked, answer !== undefined);
  await Promise.all([keys.request(id), keys.answer(id)].map((key) => lake.remove(key)));
  if (answer.state === "done") return answer.result;
  throw new (answer.refused ? UsageError : TransientError)(
    answer.problem ?? "the fleet's head doesn't say why it failed",
  );
}

/** What has ended so long ago nobody waits for any more. */
const WAITED_SECONDS = 600;

/** Takes away what was asked, and answered, and not waited for. */
export async function sweep(lake: LakeStore, fleet: string): Promise<void> {
  const keys = fleetKeys(fleet);
  for (const key of await lake.keys(keys.requests)) {
    const id = key.slice(keys.requests.length).replace(/\.json$/, "");
    const answer = FleetAnswer.safeParse(await readJson(lake, keys.answer(id))).data;
    if (!answer || answer.state === "running" || secondsBetween(answer.updated, new Date()) < WAITED_SECONDS) continue;
    for (const part of [key, keys.upload(id), keys.answer(id)]) await lake.remove(part);
  }
}

/** The last answer: one that isn't the last word, or none, where it was stopped. */
async function follow({ lake, fleet, id, say, stop, pollMs = POLL_MS }: Asked): Promise<FleetAnswer | undefined> {
  const key = fleetKeys(fleet).answer(id);
  const began = new Date();
  let shown: readonly string[] = [];
  let answer: FleetAnswer | undefined;
  let isLate = false;
  while (!stop.aborted) {
    answer = FleetAnswer.safeParse(await readJson(lake, key)).data;
    const said = answer?.said ?? [];
    for (const line of newLines(shown, said)) say(line);
    shown = said;
    if (answer && answer.state !== "running") return answer;
    const silent = secondsBetween(answer?.updated ?? began, new Date());
    if (silent > LOST_SECONDS) {
      if (answer === undefined) await lake.remove(fleetKeys(fleet).request(id));
      throw new TransientError(
        `the fleet's head sent no word about it for ${minutes(silent)}: "npx --no oneoff fleet status" tells how it is; given again it goes on`,
      );
    }
    if (silent > SLOW_SECONDS && !isLate)
      say(`Waiting for the fleet's head, which sent no word about it for ${minutes(silent)}`);
    isLate = silent > SLOW_SECONDS;
    await pause(stop, pollMs);
  }
  return answer;
}

/** Only the last lines are kept, and so the first of those that are told may have been told before. */
export function newLines(before: readonly string[], now: readonly string[]): readonly string[] {
  for (let from = Math.max(0, before.length - now.length); from < before.length; from++) {
    const known = before.slice(from);
    if (known.every((line, i) => line === now[i])) return now.slice(known.length);
  }
  return now;
}

/** What has begun goes on; what hasn't is taken back. */
async function leave({ lake, fleet, id }: Asked, hasBegun: boolean): Promise<never> {
  if (hasBegun) {
    throw new InterruptedError(
      "the fleet's head goes on with it; the same command, once that has ended, tells how it went",
    );
  }
  await lake.remove(fleetKeys(fleet).request(id));
  throw new InterruptedError("the fleet's head had not begun, and was told not to: nothing of it is there");
}
