import { RunJobFlowCommand, type RunJobFlowCommandInput } from "@aws-sdk/client-emr";
import { pause } from "../../core/retry.ts";
import { rentedFor } from "./clusters.ts";
import { type Context, denied, patiently } from "./context.ts";
import type { Launch } from "./event.ts";

/** How long {@link rent} lasts at most: patience with new roles, the last request, the search for a lost answer. */
export const RENTING_MS = 5 * 60_000;

/**
 * Asks EMR for the cluster, and returns its id.
 *
 * @throws Error when EMR refuses, or when its answer was lost and no cluster is found.
 */
export async function rent(context: Context, launch: Launch, now: Date): Promise<string> {
  const command = new RunJobFlowCommand(withDeadline(launch.request, now, launch.deadlineSeconds));
  try {
    const { JobFlowId } = await patiently(context, () => context.renter.send(command), notYet);
    return JobFlowId as string;
  } catch (error) {
    const { $fault, name, message } = error as Error & { $fault?: string };
    if ($fault === "client") throw new Error(`EMR refused the cluster: ${message} (${name})`);
    // The request may have been met all the same, and a second one would be a second cluster.
    const found = await lookFor(context, launch, now);
    if (found) return found;
    throw new Error(`EMR did not answer the request for a cluster (${name}: ${message}) and has none: try again`);
  }
}

async function lookFor(context: Context, launch: Launch, asked: Date): Promise<string | undefined> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (attempt > 0) await pause(context.pollMs);
    const { id } = (await rentedFor(context, launch, new Date(asked.getTime() - 60_000), farAhead(asked))) ?? {};
    if (id) return id;
  }
  return undefined;
}

const farAhead = (date: Date) => new Date(date.getTime() + 86_400_000);

/** EMR turned the request down, and won't in a moment: calls come too fast, or a role is too new to be known. */
const notYet = (error: unknown): boolean => {
  const { name, message } = error as Error;
  if (name === "ThrottlingException") return true;
  return denied(error) || (name === "ValidationException" && /^Invalid InstanceProfile/.test(message));
};

/** Fills in when the cluster ends. */
function withDeadline(request: RunJobFlowCommandInput, now: Date, seconds: number): RunJobFlowCommandInput {
  const deadline = new Date(now.getTime() + seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
  return {
    ...request,
    Steps: request.Steps?.map((step) => ({
      ...step,
      HadoopJarStep: step.HadoopJarStep && {
        ...step.HadoopJarStep,
        Args: step.HadoopJarStep.Args?.map((argument) => argument.replaceAll("{deadline}", deadline)),
      },
    })),
  };
}
