/** A fleet's status, for people and for programs. */
import { type Column, tableLines, widthOf } from "./columns.ts";
import type { FleetLife, FleetNode, FleetStatus, Share } from "./fleet.ts";
import { minute, secondsBetween, short } from "./when.ts";

const GIGABYTE = 1e9;

const share = (of: Share | undefined, shown: (number: number) => string = String): string =>
  of === undefined ? "" : `${shown(of.used)}/${shown(of.all)}`;

const gigabytes = (bytes: number): string => (bytes / GIGABYTE).toFixed(1);

const columnsAt = (now: Date): readonly Column<FleetNode>[] => [
  { head: "NODE", text: ({ name }) => name },
  { head: "ROLE", text: ({ role }) => role, rank: 1 },
  { head: "STATE", text: ({ state }) => state, rank: 9 },
  { head: "TYPE", text: ({ machine }) => machine?.type ?? "", rank: 4 },
  { head: "ZONE", text: ({ machine }) => machine?.zone ?? "", rank: 2 },
  { head: "CORES", text: ({ cores }) => share(cores), align: "right", rank: 7 },
  { head: "MEMORY MB", text: ({ memoryMebibytes }) => share(memoryMebibytes), align: "right", rank: 3 },
  { head: "GPUS", text: ({ gpus }) => share(gpus), align: "right", rank: 8 },
  { head: "GPU MB", text: ({ gpuMebibytes }) => share(gpuMebibytes), align: "right", rank: 3 },
  { head: "GPU %", text: ({ gpuPercent }) => gpuPercent?.toFixed(0) ?? "", align: "right", rank: 8 },
  { head: "HDFS GB", text: ({ hdfs }) => share(hdfs, gigabytes), align: "right", rank: 6 },
  { head: "USERS", text: ({ users }) => users?.join(" ") ?? "", rank: 5 },
  {
    head: "SEEN",
    text: ({ reported }) => (reported === undefined ? "" : short(secondsBetween(reported, now))),
    align: "right",
    rank: 5,
  },
];

/** What is used of what there is; a column that no node has something in is left out. */
export function fleetText({ nodes, hdfs, applications, warnings, life }: FleetStatus, now = new Date()): string {
  const columns = columnsAt(now).filter((column) => nodes.some((node) => column.text(node) !== ""));
  const stored = hdfs ? `HDFS has ${gigabytes(hdfs.used)} of ${gigabytes(hdfs.all)} GB` : "HDFS doesn't answer";
  const busy = applications.map(
    ({ name, user, cores, since }) =>
      `${name} of ${user}, ${cores} ${cores === 1 ? "core" : "cores"} since ${minute(since)} UTC`,
  );
  return [
    ...(nodes.length === 0 ? [] : tableLines(nodes, columns, widthOf(process.stdout))),
    `${nodes.length} nodes. ${stored}. ${busy.length === 0 ? "Nothing is running." : `Running: ${busy.join("; ")}.`}`,
    ...(life ? lifeLines(life) : []),
    ...warnings.map((warning) => `Warning: ${warning}`),
  ].join("\n");
}

const lifeLines = ({ why, usd, ceiling }: FleetLife): readonly string[] => [
  why,
  ...(usd === undefined || ceiling === undefined
    ? []
    : [`It cost at most ${usd.toFixed(2)} USD so far, of ${ceiling.toFixed(2)} to its end.`]),
];

/** Keys that are always there. */
export const fleetJson = ({ nodes, hdfs, applications, warnings, life }: FleetStatus) => ({
  nodes: nodes.map((node) => {
    const { name, role, state, cores, memoryMebibytes, gpus, hdfs } = node;
    const { gpuMebibytes, gpuPercent, users, machine, reported } = node;
    return {
      ...{ name, role, state, cores, memoryMebibytes, gpus, hdfs, gpuMebibytes, gpuPercent, users },
      ...{ instance: machine?.id, type: machine?.type, zone: machine?.zone, reported },
    };
  }),
  ...{ hdfs, applications, warnings },
  ...{ ends: life?.ends, usd: life?.usd, ceiling: life?.ceiling, why: life?.why },
  ...{ idleSince: life?.idleSince, workersGo: life?.workersGo, nodesStop: life?.nodesStop },
  clock: life?.clock,
});
