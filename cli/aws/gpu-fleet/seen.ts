/** What is known of a fleet at one time. */
import { type NodeReport, REPORT_SECONDS } from "../../../core/fleet-lake.ts";
import { NodeRole } from "../../../core/node-role.ts";
import { secondsBetween } from "../../when.ts";
import type { FleetMachines, Machine } from "./machines.ts";
import type { FleetOutputs } from "./outputs.ts";
import type { FleetReports } from "./reports.ts";

export interface SeenFleet extends FleetMachines, FleetReports {
  /** Name of the stack. */
  readonly stack: string;
  readonly deadline?: FleetOutputs["deadline"];
  readonly bill?: FleetOutputs["bill"];
  readonly now: Date;
}

/** A machine, and what it said last. */
export interface Node {
  readonly name: string;
  readonly machine: Machine;
  readonly report: NodeReport | undefined;
  /** Seconds since it said anything, or was started. */
  readonly silent: number;
  /** What it printed last where its first boot failed, before it could report. */
  readonly failed?: string | undefined;
}

/** How long a machine may take to install all that it needs before it is asked about. */
export const INSTALLS_SECONDS = 1800;

/** The machines; reports of those that are no more don't count. */
export const nodesOf = ({ machines, nodes, bootFailures, now }: SeenFleet): readonly Node[] =>
  machines.map((machine) => {
    const report = nodes.find(({ instance }) => instance === machine.id);
    return {
      name: report?.node ?? (machine.role === NodeRole.head ? machine.role : `${machine.role}-${machine.id}`),
      machine,
      report,
      silent: secondsBetween(report?.reported ?? machine.started, now),
      failed: report ? undefined : bootFailures?.get(machine.id),
    };
  });

/** Whether a machine that has reported doesn't any more. */
export const isSilent = ({ report, silent }: Node): boolean => report !== undefined && silent > REPORT_SECONDS;

/** A span of time, as sentences have it. */
export function minutes(seconds: number): string {
  const whole = Math.round(seconds / 60);
  if (whole >= 120) return `${Math.round(whole / 60)} hours`;
  return whole === 1 ? "1 minute" : `${whole} minutes`;
}
