/** How a fleet on EC2 does: what its machines report, laid over what EC2 and Auto Scaling have. */
import type { NodeReport } from "../../../core/fleet-lake.ts";
import { NodeRole } from "../../../core/node-role.ts";
import type { FleetLife, FleetNode, FleetStatus } from "../../fleet.ts";
import { answerWarnings, FleetAnswer, partIn } from "../../fleet-answer.ts";
import { clock, secondsBetween } from "../../when.ts";
import { lifeOf } from "./life.ts";
import { INSTALLS_SECONDS, isSilent, minutes, type Node, nodesOf, type SeenFleet } from "./seen.ts";
import { capacityWarnings } from "./shortage.ts";

/** What is said of the deadline beforehand, in seconds. */
const NEAR_END_SECONDS = 3600;

/** The reaper looks every five minutes. */
const REAPER_SECONDS = 1200;

export function statusOf(seen: SeenFleet): FleetStatus {
  const nodes = nodesOf(seen);
  const head = nodes.find(({ machine }) => machine.role === NodeRole.head);
  const answer = FleetAnswer.safeParse(head?.report?.fleet).data;
  const life = lifeOf(seen);
  return {
    nodes: nodes.map((node) => nodeStatus(node, answer)),
    hdfs: answer?.hdfs ? { used: answer.hdfs.used, all: answer.hdfs.capacity } : undefined,
    applications: answer?.spark?.applications ?? [],
    warnings: [
      ...nodes.flatMap(nodeWarnings),
      ...seen.unreadable.map((key) => `${key} of the lake is no report of a node, and counts as busy`),
      ...capacityWarnings(seen),
      ...(answer ? answerWarnings(answer) : []),
      ...(seen.members?.state === "failed" ? [`data nodes stay as they were: ${seen.members.problem}`] : []),
      ...endWarnings(seen, life),
      ...clockWarnings(seen),
      ...reaperWarnings(seen),
    ],
    life,
  };
}

function nodeStatus(node: Node, answer: FleetAnswer | undefined): FleetNode {
  const { name, machine, report } = node;
  const { id, type, zone, role, state, addresses } = machine;
  const shown = { name, role, machine: { id, type, zone }, reported: report?.reported };
  if (state !== "running") return { ...shown, state: EC2_STATES[state] ?? state };
  const part = answer && partIn(answer, (address) => addresses.includes(address.replace(/:\d+$/, "")));
  return {
    ...shown,
    ...part,
    state: reportedState(node) ?? part?.state ?? "ready",
    ...(report && { users: report.sessions, ...gpusIn(report) }),
  };
}

function gpusIn({ gpus }: NodeReport): Pick<FleetNode, "gpuMebibytes" | "gpuPercent"> {
  if (gpus.length === 0) return {};
  const used = gpus.reduce((sum, { usedMebibytes }) => sum + usedMebibytes, 0);
  const all = gpus.reduce((sum, { mebibytes }) => sum + mebibytes, 0);
  return { gpuMebibytes: { used, all }, gpuPercent: Math.max(...gpus.map(({ percent }) => percent)) };
}

/** What keeps a machine from work; undefined when nothing does. */
function reportedState(node: Node): string | undefined {
  const { report, silent, failed } = node;
  if (failed !== undefined) return "failed";
  if (!report) return silent < INSTALLS_SECONDS ? "installing" : "silent";
  if (isSilent(node)) return `no word for ${minutes(silent)}`;
  if (report.taken !== null) return `taken ${clock(report.taken)}`;
  if (report.state !== "ready") return report.state;
  for (const state of ["down", "starting"] as const) {
    const some = report.services.filter((service) => service.state === state).map(({ name }) => name);
    if (some.length > 0) return `${some.join(", ")} ${state}`;
  }
  return undefined;
}

const EC2_STATES: Readonly<Record<string, string>> = { pending: "starting", "shutting-down": "ending" };

function nodeWarnings(node: Node): readonly string[] {
  const { name, machine, report, silent, failed } = node;
  const { id, state } = machine;
  if (state !== "running") return [];
  const log = `what it printed is to be had by "aws ec2 get-console-output --latest --instance-id ${id}"`;
  if (failed !== undefined) return [`${name} could not be set up (${failed}): ${log}`];
  if (!report)
    return silent < INSTALLS_SECONDS ? [] : [`${name} runs for ${minutes(silent)} and has never reported: ${log}`];
  if (isSilent(node)) return [`${name} sent no word for ${minutes(silent)}, and counts as busy: ${log}`];
  const down = report.services.filter((service) => service.state === "down").map((service) => service.name);
  return [
    ...(report.state === "failed" ? [`${name} failed: ${report.problem ?? log}`] : []),
    ...(report.state === "ready" && report.problem !== null ? [`${name}: ${report.problem}`] : []),
    ...(down.length > 0 ? [`${down.join(" and ")} of ${name} ${down.length === 1 ? "is" : "are"} down`] : []),
    ...(report.taken === null
      ? []
      : [
          `EC2 takes ${name} away at ${clock(report.taken)} UTC, as it does with spot machines: Spark gives it no more tasks and moves what it holds, and the group asks for another; where that happens often, name more types or zones, or take on-demand workers`,
        ]),
  ];
}

function endWarnings({ stack, now }: SeenFleet, { ends }: FleetLife): readonly string[] {
  if (ends === undefined || secondsBetween(now, ends) > NEAR_END_SECONDS) return [];
  if (new Date(ends) <= now) return ["the fleet is past its deadline, and is being ended with all that HDFS has"];
  return [
    `the fleet ends at ${clock(ends)} UTC, in ${minutes(secondsBetween(now, ends))}, and what is in HDFS with it: a longer oneoff:deadline and "npx pulumi up --stack ${stack}" put that off`,
  ];
}

/** Beforehand too: whoever is on isn't waited for. */
function clockWarnings({ stack, reaper, machines, now }: SeenFleet): readonly string[] {
  const off = reaper?.clock?.off;
  const runs = machines.some(({ state }) => state === "running");
  if (off === undefined || !runs || new Date(off) <= now || secondsBetween(now, off) > NEAR_END_SECONDS) return [];
  return [
    `the clock has all machines stopped at ${clock(off)} UTC, in ${minutes(secondsBetween(now, off))}, whoever works there: a later oneoff:powerOff and "npx pulumi up --stack ${stack}" put that off`,
  ];
}

/** Without it nothing ends. */
function reaperWarnings({ reaper, now }: SeenFleet): readonly string[] {
  const silent = reaper === undefined ? 0 : secondsBetween(reaper.looked, now);
  if (silent < REAPER_SECONDS) return [];
  return [
    `the reaper has not looked for ${minutes(silent)}, and nothing else ends the fleet: its function's log says why`,
  ];
}
