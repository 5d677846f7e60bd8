/** A fleet's status, for people and for programs. */
import { type Column, tableLines, widthOf } from "./columns.ts";
import type { FleetNode, FleetStatus, Share } from "./fleet.ts";
import { minute } from "./when.ts";

const GIGABYTE = 1e9;

const share = (of: Share | undefined, shown: (number: number) => string = String): string =>
  of === undefined ? "" : `${shown(of.used)}/${shown(of.all)}`;

const gigabytes = (bytes: number): string => (bytes / GIGABYTE).toFixed(1);

const COLUMNS: readonly Column<FleetNode>[] = [
  { head: "NODE", text: ({ name }) => name },
  { head: "ROLE", text: ({ role }) => role, rank: 1 },
  { head: "STATE", text: ({ state }) => state, rank: 5 },
  { head: "CORES", text: ({ cores }) => share(cores), align: "right", rank: 4 },
  { head: "MEMORY MB", text: ({ memoryMebibytes }) => share(memoryMebibytes), align: "right", rank: 2 },
  { head: "GPUS", text: ({ gpus }) => share(gpus), align: "right", rank: 4 },
  { head: "HDFS GB", text: ({ hdfs }) => share(hdfs, gigabytes), align: "right", rank: 3 },
];

/** What is used of what there is; a column that no node has something in is left out. */
export function fleetText({ nodes, hdfs, applications, warnings }: FleetStatus): string {
  const columns = COLUMNS.filter((column) => nodes.some((node) => column.text(node) !== ""));
  const stored = hdfs ? `HDFS has ${gigabytes(hdfs.used)} of ${gigabytes(hdfs.all)} GB` : "HDFS doesn't answer";
  const busy = applications.map(
    ({ name, user, cores, since }) =>
      `${name} of ${user}, ${cores} ${cores === 1 ? "core" : "cores"} since ${minute(since)} UTC`,
  );
  return [
    ...tableLines(nodes, columns, widthOf(process.stdout)),
    `${nodes.length} nodes. ${stored}. ${busy.length === 0 ? "Nothing is running." : `Running: ${busy.join("; ")}.`}`,
    ...warnings.map((warning) => `Warning: ${warning}`),
  ].join("\n");
}

/** Keys that are always there. */
export const fleetJson = ({ nodes, hdfs, ...rest }: FleetStatus) => ({
  nodes: nodes.map(({ name, role, state, cores, memoryMebibytes, gpus, hdfs }) => ({
    ...{ name, role, state, cores, memoryMebibytes, gpus, hdfs },
  })),
  hdfs,
  ...rest,
});
