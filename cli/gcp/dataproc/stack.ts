import type { StackContext } from "../../platform.ts";
import { projectOf, regionOf } from "../project.ts";
import type { DataprocOutputs } from "./outputs.ts";

/** Where a stack on Dataproc is, as its outputs tell. */
export interface DataprocStack extends Omit<DataprocOutputs, "clusterName"> {
  readonly name: string;
  readonly project: string;
  readonly region: string;
  /** Name of the cluster, in mode `cluster`. @default there is none in between runs */
  readonly cluster?: string | undefined;
}

/** @throws UsageError when nothing says which project and region. */
export const dataprocStack = (
  stack: StackContext,
  { clusterName: cluster, ...outputs }: DataprocOutputs,
): DataprocStack => ({ ...outputs, cluster, name: stack.name, project: projectOf(stack), region: regionOf(stack) });
