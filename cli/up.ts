import { type Exit, quote, UsageError } from "../core/errors.ts";
import { Follower } from "./follow.ts";
import { mayBeLeft } from "./leave.ts";
import type { Attached } from "./platform.ts";
import { pulumi } from "./pulumi.ts";
import { attach } from "./registry.ts";
import { stackUp } from "./stack.ts";
import { patiently, watch } from "./watch.ts";

/**
 * Brings a stack up; resolves to Pulumi's exit code.
 * @param options of `pulumi up`.
 */
export const up = (
  stack: string,
  options: readonly string[] = [],
  out: NodeJS.WriteStream = process.stdout,
): Promise<number> => pulumi(stack, ["up", "--yes", "--suppress-outputs", ...options], out);

/**
 * The cluster of a stack that was brought up.
 * @param run that its settings ask for. @default whichever its program makes
 * @throws UsageError when the program made another run.
 */
export async function attachUp(stack: string, run?: string): Promise<Attached> {
  const attached = await attach(await stackUp(stack));
  if (run !== undefined && attached.run !== run) {
    throw new UsageError(
      `oneoff:runId is ${quote(run)}, and the program has made run ${quote(attached.run)}: its cluster has a runId of its own; leave that out, which takes the setting, or give it new pulumi.Config("oneoff").get("runId")`,
    );
  }
  return attached;
}

/** Watches the run of a stack that is up to its end; resolves to what a command ends with then. */
export async function watchRun(stack: string, attached: Attached): Promise<Exit> {
  const dashboard = (await attached.pages()).find(({ name }) => name === "dashboard")?.address;
  const follower = new Follower(attached);
  const before = await patiently(() => follower.status(attached.run), follower.pollMs, console.error);
  const isOver = before !== undefined && before.state !== "running";
  if (dashboard && !isOver) console.log(`The dashboard fills in while the run goes on: ${dashboard}`);
  const stay = isOver ? () => {} : mayBeLeft(stack);
  const exit = await watch(follower, attached.run, {
    ...{ logs: false, output: process.stdout, stack },
    leavesEndless: true,
  });
  stay();
  if (dashboard) console.log(`Dashboard: ${dashboard}`);
  return exit;
}
