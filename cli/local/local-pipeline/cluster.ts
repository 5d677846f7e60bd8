import type { Attached, StackContext } from "../../platform.ts";
import { attach as attachLocal } from "../cluster.ts";
import type { PipelineOutputs } from "./outputs.ts";

/** The pipeline of a stack whose broker and run are on this machine. */
export async function attach(stack: StackContext, outputs: PipelineOutputs): Promise<Attached> {
  return { ...(await attachLocal(stack, outputs)), stream: { kafka: outputs.kafka, page: outputs.dashboard } };
}
