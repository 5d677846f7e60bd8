/** Where a stack on Dataproc is, as its outputs tell. */

import type { BillLine } from "../../../core/bill.ts";
import { UsageError } from "../../../core/errors.ts";
import { googleProjectOf, googleRegionOf } from "../../config.ts";
import type { Outputs } from "../../platform.ts";

export interface DataprocStack {
  readonly stack: string;
  readonly project: string;
  readonly region: string;
  readonly lake: string;
  /** Name of the Cloud Run job. */
  readonly orchestrator: string;
  /** Name of the cluster, in mode `cluster`. @default there is none in between runs */
  readonly cluster?: string;
  readonly dataset?: string;
  readonly mode: string;
  /** The run that the stack is for. */
  readonly run: string;
  readonly bill?: readonly BillLine[];
}

export function placeOf(stack: string, outputs: Outputs): DataprocStack {
  const { lake, orchestrator, clusterName, dataset, mode, run, bill } = outputs;
  if (typeof lake !== "string" || typeof orchestrator !== "string") {
    throw new UsageError(`stack ${stack} has no lake or orchestrator: "npx pulumi up --stack ${stack}" makes them`);
  }
  return {
    stack,
    project: googleProjectOf(stack, outputs),
    region: googleRegionOf(stack, outputs),
    lake,
    orchestrator,
    mode: String(mode),
    run: String(run),
    ...(typeof clusterName === "string" && { cluster: clusterName }),
    ...(typeof dataset === "string" && { dataset }),
    ...(Array.isArray(bill) && { bill: bill as readonly BillLine[] }),
  };
}
