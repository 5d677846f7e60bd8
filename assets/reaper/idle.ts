/** Whether anybody works on a fleet, by what its machines say. */
import { formatDuration } from "../../core/duration.ts";
import { REPORT_SECONDS } from "../../core/fleet-lake.ts";
import { NodeRole } from "../../core/node-role.ts";
import { Tag } from "../../core/tags.ts";
import type { Candidate } from "./overdue.ts";
import { type Seen, shown } from "./reports.ts";

/** How long a machine may take until it says its first word. */
const BOOT_SECONDS = 1800;
const MOST_SENTENCES = 50;

/** Since when nobody works there, where there is no reason why it isn't so; undefined where no machine runs. */
export interface Idleness {
  readonly since: Date | undefined;
  /** A sentence each that begins with the node's name. */
  readonly why: readonly string[];
  /** Whether the head says that HDFS is ready for all of them to be stopped. */
  readonly rests: boolean;
  /** Whether a machine that isn't a worker is being set up. */
  readonly nodesBoot: boolean;
}

type Report = Extract<Seen, { readonly report: unknown }>;

export function idleness(machines: readonly Candidate[], seen: readonly Seen[], now: Date): Idleness {
  const reports = seen.filter((each) => "report" in each);
  const running = machines.filter(({ started }) => started);
  const judged = running.map((machine) => judge(machine, reports, now));
  const unread = seen.flatMap((each) =>
    "problem" in each && isFresh(each.modified, now) ? [`${each.node}: its report can't be read: ${each.problem}`] : [],
  );
  const why = [...judged.flatMap((one) => one.why), ...unread].map(shown);
  const since = judged.length > 0 ? Math.max(...judged.map((one) => one.since)) : undefined;
  const many = why.length > MOST_SENTENCES;
  return {
    since: why.length > 0 || since === undefined ? undefined : new Date(since),
    why: many ? [...why.slice(0, MOST_SENTENCES), `and ${why.length - MOST_SENTENCES} more reasons`] : why,
    rests: running
      .filter(({ tags }) => tags[Tag.role] === NodeRole.head)
      .some((head) => freshOf(head, reports, now).some(({ report }) => report.rests)),
    nodesBoot: running.some(
      (machine) => machine.tags[Tag.role] !== NodeRole.worker && isBooting(machine, reports, now),
    ),
  };
}

const ownOf = (machine: Candidate, seen: readonly Report[]) =>
  seen.filter(({ report }) => report.instance === machine.id && report.role === machine.tags[Tag.role]);

const freshOf = (machine: Candidate, seen: readonly Report[], now: Date) =>
  ownOf(machine, seen).filter((each) => isFresh(writtenAt(each), now));

/** For so long as it may take, unless it says otherwise since it was started. */
function isBooting(machine: Candidate, seen: readonly Report[], now: Date): boolean {
  const started = (machine.started as Date).getTime();
  if (now.getTime() - started >= BOOT_SECONDS * 1000) return false;
  return !freshOf(machine, seen, now).some(
    (each) => writtenAt(each).getTime() > started && each.report.state !== "installing",
  );
}

interface Judgement {
  readonly why: readonly string[];
  /** Milliseconds; without a reason above. */
  readonly since: number;
}

/** Of several reports that claim to be of one machine each has to say that it is idle. */
function judge(machine: Candidate, seen: readonly Report[], now: Date): Judgement {
  const started = (machine.started as Date).getTime();
  const own = ownOf(machine, seen);
  const fresh = freshOf(machine, seen, now);
  if (fresh.length === 0) return { why: [`${nameOf(machine, own)} ${silence(machine, own, now)}`], since: started };
  return {
    why: fresh.flatMap(({ report }) => reasons(report, machine, now).map((reason) => `${report.node} ${reason}`)),
    since: Math.max(started, ...fresh.map(({ report }) => Date.parse(report.idle?.idleSince ?? ""))),
  };
}

/** Neither by the machine's clock nor by that of S3. */
const writtenAt = ({ report, modified }: Report) => new Date(Math.min(Date.parse(report.reported), modified.getTime()));

const isFresh = (moment: Date, now: Date) => now.getTime() - moment.getTime() <= REPORT_SECONDS * 1000;

function nameOf({ id, tags }: Candidate, own: readonly Report[]): string {
  const role = tags[Tag.role] ?? "";
  const named = tags.Name?.slice(tags.Name.lastIndexOf(`-${role}-`) + 1);
  const otherwise = role === NodeRole.data && named?.startsWith(`${role}-`) ? named : `${role}-${id}`;
  return own[0]?.report.node ?? (role === NodeRole.head ? role : otherwise);
}

function silence({ started }: Candidate, own: readonly Report[], now: Date): string {
  const age = (now.getTime() - (started as Date).getTime()) / 1000;
  const last = Math.max(...own.map((each) => writtenAt(each).getTime()));
  if (last > (started as Date).getTime()) {
    return `hasn't reported for ${formatDuration((now.getTime() - last) / 1000)}`;
  }
  return age < BOOT_SECONDS
    ? `boots, since ${formatDuration(age)}`
    : `hasn't reported since it started ${formatDuration(age)} ago`;
}

function reasons({ state, problem, idle }: Report["report"], { started }: Candidate, now: Date): readonly string[] {
  const because = problem ? `: ${problem}` : "";
  const age = formatDuration((now.getTime() - (started as Date).getTime()) / 1000);
  if (state === "installing") return [`is being installed since ${age}${because}`];
  if (state === "failed") return [`could not be installed${because}`];
  if (!idle) return [`can't tell whether anybody works there${because}`];
  if (idle.reasons.length > 0) return idle.reasons.map((reason) => `is busy: ${reason}`);
  if (idle.busy) return ["is busy"];
  if (!isFresh(new Date(idle.looked), now)) {
    return [
      `hasn't looked for ${formatDuration((now.getTime() - Date.parse(idle.looked)) / 1000)} whether anybody works there`,
    ];
  }
  return idle.idleSince === null ? ["doesn't say since when nobody works there"] : [];
}
