import { quote, UsageError } from "../../core/errors.ts";
import { checkRunId } from "../../core/run.ts";
import { type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { BRING_UP_EXITS, type BringUpOptions, bringUp, takesBringUpOptions } from "../bring-up.ts";
import type { OneoffCommand } from "../command.ts";
import { Follower } from "../follow.ts";
import { meantStack } from "../meant-stack.ts";
import type { Attached, StackContext } from "../platform.ts";
import { NoStackError, NotUpError } from "../pulumi.ts";
import { attach, refreshFlags } from "../registry.ts";
import { withRunId } from "../run-id.ts";
import { stackUp } from "../stack.ts";

interface Options extends StackOptions, BringUpOptions {
  readonly id?: string;
  readonly endCluster?: boolean;
}

export const run: OneoffCommand = {
  describe: (command, flags) =>
    withExamples(
      takesBringUpOptions(
        takesStack(command)
          .description("Compute again: set a new run id and bring the stack up; earlier runs stay.")
          .option("--id <runId>", "the new run's id; the time when not given")
          .option("--end-cluster", "end the cluster of the run before, where one is kept alive"),
      ).action((word: string | undefined, options: Options) => computeAgain(word, flags, options)),
      {
        "oneoff run": "a run named by the time",
        "oneoff run emr-oneoff --id monday": "a run with a name",
        "oneoff run --dry-run": "what it costs and would make",
      },
      BRING_UP_EXITS,
    ),
};

async function computeAgain(word: string | undefined, flags: readonly string[], given: Options): Promise<void> {
  const { id: run = newRunId(), endCluster = false, ...options } = given;
  const meant = await meantStack(word, options);
  const { name } = meant;
  checkRunId(run, "--id");
  const before = await stackUp(name).catch(ifNotUp); // then there is no run either
  const attached = before && (await attach(before));
  if (before && attached) await refuseRun(before, attached, run, endCluster);
  await bringUp(meant, {
    ...options,
    run,
    flags: [...(before ? refreshFlags(before.outputs) : []), ...flags],
    around: (pulumi) => withRunId(name, run, pulumi, options),
  });
}

function ifNotUp(error: unknown): undefined {
  if (!(error instanceof NotUpError || error instanceof NoStackError)) throw error;
}

/** An id for a new run: the time, to the second, in UTC. */
function newRunId(now = new Date()): string {
  return now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
}

/** @throws UsageError when the run is there already, or the cluster of another one is still in use. */
async function refuseRun({ name }: StackContext, attached: Attached, id: string, endCluster: boolean): Promise<void> {
  const follower = new Follower(attached);
  if (await follower.status(id))
    throw new UsageError(`--id is ${quote(id)}: that run is there already; choose another id`);
  const current = await follower.status(attached.run);
  if (current?.state === "running") {
    throw new UsageError(
      `run ${quote(attached.run)} is still going on and would be ended: wait for it with "npx --no oneoff watch ${name}", or end it with "npx --no oneoff cancel ${name}"`,
    );
  }
  if (current && !endCluster && attached.isKept?.(current)) {
    throw new UsageError(
      `the cluster of run ${quote(attached.run)} is kept alive and would be ended, with whatever somebody does in its JupyterLab: if nobody does, "npx --no oneoff run ${name} --end-cluster"`,
    );
  }
}
