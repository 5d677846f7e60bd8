/** When a fleet's machines go, why they don't, and what they have cost. */
import { ceiling } from "../../../core/bill.ts";
import { seconds } from "../../../core/duration.ts";
import { costSoFar } from "../../cost-so-far.ts";
import type { FleetLife } from "../../fleet.ts";
import { clock, minute } from "../../when.ts";
import { wakesBy, whyOff, whyStillOn } from "./power.ts";
import { isSilent, minutes, type Node, nodesOf, type SeenFleet } from "./seen.ts";
import { gaveBackOf } from "./shortage.ts";

/** The end of all is counted from the first of its things: what the reaper said, else what is there. */
export function lifeOf(seen: SeenFleet): FleetLife {
  const { machines, group, spare, reaper, deadline, bill, now } = seen;
  const groups = [group, spare].filter((group) => group !== undefined);
  const made = [...machines, ...groups].map(({ made }) => Number(made));
  const first = made.length > 0 ? Math.min(...made) : undefined;
  const span = deadline === undefined ? undefined : seconds(deadline, "deadline") * 1000;
  const counted = first !== undefined && span !== undefined ? first + span : undefined;
  const ends = reaper ? Date.parse(reaper.ends) : counted;
  const begun = ends !== undefined && span !== undefined ? ends - span : first;
  const times = {
    ends: ends === undefined ? undefined : new Date(ends).toISOString(),
    idleSince: reaper?.idleSince ?? undefined,
    workersGo: reaper?.workersGo ?? undefined,
    nodesStop: reaper?.nodesStop ?? undefined,
    clock: reaper?.clock,
  };
  return {
    ...times,
    ...(bill && {
      usd: begun === undefined ? undefined : costSoFar(bill, Math.max(0, now.getTime() - begun) / 3_600_000),
      ceiling: ceiling(bill),
    }),
    why: whyOf(seen, times),
  };
}

/** So many reasons are told; of the others how many they are. */
const MOST_REASONS = 6;

/** Why it isn't idle, by node, or else what happens when: one line. */
function whyOf(seen: SeenFleet, times: Omit<FleetLife, "why">): string {
  const { machines, stack } = seen;
  const ends = times.ends === undefined ? "" : `at ${minute(times.ends)} UTC all of it ends, with what is in HDFS`;
  const wake = `"npx --no oneoff fleet wake ${stack}"`;
  if (machines.length === 0) return "There are no machines: they have ended, or are not made yet.";
  if (machines.every(({ state }) => STOPPED.has(state))) {
    return sentence("Asleep: every node is stopped, and keeps its disks", wakesBy(seen), ends);
  }
  const off = whyOff(seen);
  if (off !== undefined) {
    return sentence(
      "Going off: the workers go, then the other nodes are stopped, and keep their disks",
      off,
      whyStillOn(seen),
      ends,
    );
  }
  const busy = nodesOf(seen).flatMap(busyWith);
  const workers = [spareIn(seen), ...nodesOf(seen).map(takenAway)];
  const byClock = at(times.clock?.off, "the clock has its nodes stopped, and they keep their disks");
  if (busy.length > 0) {
    const reasons = [...busy.slice(0, MOST_REASONS), ...more(busy)].join("; ");
    return sentence(`Not idle: ${reasons}`, ...workers, byClock, ends);
  }
  const since = times.idleSince === undefined ? "" : ` since ${minute(times.idleSince)} UTC`;
  return sentence(
    `Idle${since}`,
    isAway(seen)
      ? `${gaveBackOf(seen) ?? "the workers are away"}, and ${wake} brings them back`
      : at(times.workersGo, "the workers go"),
    ...workers,
    times.nodesStop === times.clock?.off
      ? byClock
      : at(times.nodesStop, "the other nodes are stopped, and keep their disks"),
    whyStillOn(seen),
    times.idleSince === undefined ? otherwise(seen) : "",
    ends,
  );
}

const isAway = ({ group, spare }: SeenFleet): boolean =>
  group !== undefined && group.desired === 0 && group.most > 0 && (spare?.desired ?? 0) === 0;

function spareIn({ spare }: SeenFleet): string {
  if (!spare || spare.desired === 0) return "";
  return `${spare.desired === 1 ? "1 worker is" : `${spare.desired} workers are`} on demand in the place of spot ones, until the workers go`;
}

const takenAway = ({ name, report }: Node): string =>
  report && report.taken !== null
    ? `EC2 takes ${name} away at ${clock(report.taken)} UTC, and its work goes to others`
    : "";

/** It knows when machines were started or woken, and may be some minutes behind. */
function otherwise({ reaper }: SeenFleet): string {
  const [why] = reaper?.why ?? [];
  return why === undefined
    ? "the reaper, which looks every 5 minutes, is yet to see it"
    : `the reaper, which looks every 5 minutes, said otherwise: ${why}`;
}

const STOPPED = new Set(["stopped", "stopping"]);

const at = (time: string | undefined, what: string): string =>
  time === undefined ? "" : `at ${minute(time)} UTC ${what}`;

const sentence = (first: string, ...others: readonly string[]): string =>
  `${[first, ...others.filter((part) => part !== "")].join("; ")}.`;

const more = (reasons: readonly string[]): readonly string[] =>
  reasons.length > MOST_REASONS ? [`and ${reasons.length - MOST_REASONS} more`] : [];

/** What keeps a node from being idle; what isn't known of it does. */
function busyWith(node: Node): readonly string[] {
  const { name, machine, report, silent, failed } = node;
  if (STOPPED.has(machine.state)) return [];
  if (failed !== undefined) return [`${name} could not be set up, which counts as busy`];
  if (!report) return [`${name} is being set up, for ${minutes(silent)}`];
  if (isSilent(node)) return [`${name} sent no word for ${minutes(silent)}, which counts as busy`];
  if (report.state !== "ready") return [`${name} is ${report.state}, which counts as busy`];
  if (report.idle === null) return [`${name} can't tell whether anybody works there`];
  return report.idle.busy ? report.idle.reasons.map((reason) => `${name}: ${reason}`) : [];
}
