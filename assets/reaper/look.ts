/** One look at a fleet that goes on: what its machines say, what is done about it, and what is told of that. */
import type { S3Client } from "@aws-sdk/client-s3";
import { fleetKeys, type ReaperReport } from "../../core/fleet-lake.ts";
import { type CapacityPlan, capacityPlan, resize } from "./capacity.ts";
import type { Clients } from "./clients.ts";
import { type Entry, explain, failure } from "./entry.ts";
import { type Fleet, type FleetEnd, fleetEnd, fleetId } from "./fleets.ts";
import { type Idleness, idleness } from "./idle.ts";
import { type Demand, demandOf } from "./power.ts";
import { deleteReports, type FleetLake, readLast, readPower, readReports, type Seen, writeLast } from "./reports.ts";
import { putToSleep, type SleepPlan, sleepPlan } from "./sleep.ts";
import { type WakePlan, wakePlan, wakeUp } from "./wake.ts";

const DAY_MS = 86_400_000;
/** For each fleet, and all of them at once, twice; the function has two minutes. */
const LOOK_MS = 20_000;

/** A fleet, and what was said of it last. */
export interface SeenFleet {
  readonly fleet: Fleet;
  readonly end: FleetEnd;
  /** Undefined where nothing is known of a lake. */
  readonly lake: FleetLake | undefined;
  readonly last: ReaperReport | undefined;
  /** Why `last` or the lake can't be told. */
  readonly error: unknown;
}

/** Before anything ends: a fleet that has begun to end may be known by its last report alone. */
export async function firstLook(s3: S3Client, fleet: Fleet, now: Date): Promise<SeenFleet> {
  const seen = (more: Partial<SeenFleet>): SeenFleet => ({
    ...{ fleet, lake: undefined, last: undefined, error: undefined },
    ...more,
    end: fleetEnd(fleet, more.last, now),
  });
  let lake: FleetLake | undefined;
  try {
    lake = lakeOf(s3, fleet);
    return seen({ lake, last: await readLast(lake) });
  } catch (error) {
    return seen({ lake, error });
  }
}

function lakeOf(s3: S3Client, { lake: bucket, cluster }: Fleet): FleetLake {
  if (!bucket || !cluster)
    throw new Error("it has no tag oneoff:lake or oneoff:cluster: nobody can tell whether it is idle");
  return { s3, bucket, keys: fleetKeys(cluster), abortSignal: AbortSignal.timeout(LOOK_MS) };
}

/**
 * Never throws: what fails is an entry, and a fleet of which something can't be told isn't idle.
 *
 * @param isComplete whether all groups and instances of the fleet are known.
 */
export async function look(
  clients: Clients,
  seen: SeenFleet,
  isComplete: boolean,
  now: Date,
): Promise<readonly Entry[]> {
  const { fleet, end, error } = seen;
  const last = lastOf(seen);
  const id = fleetId(fleet);
  if (!seen.lake) return [failure("fleet", id, error)];
  const lake = { ...seen.lake, abortSignal: AbortSignal.timeout(LOOK_MS) };
  if (isNotOurs(error)) return [{ event: "left", kind: "fleet", id, error: explain(error) }];
  const entries: Entry[] = error === undefined ? [] : [failure("fleet", id, error)];
  const attempt = async <T>(what: () => Promise<T>): Promise<T | undefined> =>
    what().catch((problem) => void entries.push(failure("fleet", id, problem)));

  const reports = end.rest.length > 0 ? await attempt(() => readReports(lake)) : [];
  const idleness = idlenessOf(seen, reports, isComplete, now);
  const isKnown = end.rest.length > 0 && isComplete && error === undefined;
  const demand = isKnown ? await attempt(async () => demandOf(await readPower(lake), last, now)) : undefined;
  const sleep = sleepPlan(end.rest, { idleness, demand, last }, now);
  const wake = wakePlan(isComplete ? end.rest : [], demand?.on ?? false, sleep.empty);
  const changing = new Set([...sleep.empty, ...wake.fill].map(({ id }) => id));
  const steady = end.rest.filter(({ id }) => !changing.has(id));
  const capacity = capacityPlan(steady, last, now);
  const done = [
    ...(await putToSleep(clients, id, sleep)),
    ...(await wakeUp(clients, id, wake)),
    ...(await resize(clients, id, capacity)),
  ];
  entries.push(...done);
  const report = reportOf({ end, idleness, demand, last, sleep, wake, done }, now);
  await attempt(() => writeLast(lake, { ...report, ...toldOf(capacity, done) }));
  if (reports && isComplete) await attempt(() => deleteReports(lake, outdated(reports, fleet, now)));
  return entries;
}

/** What was said of another fleet of this name isn't of this one. */
function lastOf({ end, last }: SeenFleet): ReaperReport | undefined {
  const created = Math.min(...end.rest.map((member) => member.created.getTime()));
  return last && Date.parse(last.looked) >= created ? last : undefined;
}

/** A stack of the same name has another lake, which its own reaper may read; or it is destroyed just now. */
function isNotOurs(error: unknown): boolean {
  const { name, $metadata } = (error ?? {}) as { name?: string; $metadata?: { httpStatusCode?: number } };
  return name === "NoSuchBucket" || $metadata?.httpStatusCode === 403;
}

function idlenessOf(
  { end, error }: SeenFleet,
  reports: readonly Seen[] | undefined,
  isComplete: boolean,
  now: Date,
): Idleness {
  const machines = end.rest.filter(({ kind }) => kind === "instance");
  const found = idleness(machines, reports ?? [], now);
  const unknown = [
    ...(error === undefined ? [] : ["reaper can't read what it said last"]),
    ...(reports ? [] : ["reaper can't read what the nodes say"]),
    ...(isComplete ? [] : ["reaper can't tell which machines there are"]),
  ];
  return unknown.length > 0 ? { ...found, since: undefined, why: [...unknown, ...found.why] } : found;
}

interface Looked {
  readonly end: FleetEnd;
  readonly idleness: Idleness;
  readonly demand: Demand | undefined;
  readonly last: ReaperReport | undefined;
  readonly sleep: SleepPlan;
  readonly wake: WakePlan;
  readonly done: readonly Entry[];
}

function reportOf(
  { end, idleness, demand, last, sleep, wake, done }: Looked,
  now: Date,
): Omit<ReaperReport, keyof ReturnType<typeof toldOf>> {
  const isDone = (event: Entry["event"], all: SleepPlan["empty"]) =>
    done.filter((entry) => entry.event === event).length === all.length;
  const moment = (date: Date | undefined) => date?.toISOString() ?? null;
  const isEmptied = sleep.empty.length > 0 && isDone("emptied", sleep.empty);
  const isStopped = sleep.stop.length > 0 && isDone("stopped", sleep.stop);
  const isAsleep = (isEmptied || !sleep.workersGo) && (isStopped || !sleep.nodesStop);
  const isAwake = wake.isWhole && isDone("started", wake.start) && isDone("filled", wake.fill);
  const isCarriedOut = demand?.off ? isAsleep : !demand?.on || isAwake;
  const power = demand ? { ...demand.wish, done: isCarriedOut } : last?.power;
  return {
    looked: now.toISOString(),
    ends: end.ends.toISOString(),
    idleSince: moment(sleep.idleSince),
    why: [...idleness.why],
    workersGo: isEmptied ? null : moment(sleep.workersGo),
    nodesStop: isStopped ? null : moment(sleep.nodesStop),
    ...(sleep.stopping && { stopping: sleep.stopping.toISOString() }),
    ...(power && { power }),
    ...(demand?.clock && { clock: { off: demand.clock.off.toISOString(), on: demand.clock.on.toISOString() } }),
  };
}

/** What could not be done is still to be done. */
function toldOf({ shortSince, gaveBack, resize }: CapacityPlan, done: readonly Entry[]) {
  const isDone = done.filter(({ event }) => event === "resized").length === resize.length;
  return { shortSince: shortSince?.toISOString() ?? null, gaveBack: isDone ? gaveBack : null };
}

/** Reports of machines that are no more, a day after they were written. */
function outdated(reports: readonly Seen[], { members }: Fleet, now: Date): readonly Seen[] {
  const ids = new Set(members.map(({ id }) => id));
  return reports.filter(
    (each) => now.getTime() - each.modified.getTime() > DAY_MS && !("report" in each && ids.has(each.report.instance)),
  );
}
