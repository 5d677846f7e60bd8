import { quote, UsageError } from "../core/errors.ts";
import { DEFAULT_STACK } from "./arguments.ts";
import { Follower } from "./follow.ts";
import { pulumi } from "./pulumi.ts";
import { attach } from "./registry.ts";
import { stackUp } from "./stack.ts";
import { watch } from "./watch.ts";

/**
 * Brings a stack up; resolves to whether that succeeded.
 * @param options of `pulumi up`.
 */
export const up = async (stack: string, options: readonly string[] = []): Promise<boolean> =>
  (await pulumi(stack, ["up", "--yes", "--suppress-outputs", ...options])) === 0;

/**
 * Watches the run of a stack that is up to its end; resolves to whether it succeeded.
 * @param run that its settings ask for. @default whichever its program makes
 * @throws UsageError when the program made another run.
 */
export async function watchRun(stack: string, run?: string): Promise<boolean> {
  const attached = await attach(await stackUp(stack));
  if (run !== undefined && attached.run !== run) {
    throw new UsageError(
      `oneoff:runId is ${quote(run)}, and the program has made run ${quote(attached.run)}: its cluster has a runId of its own; leave that out, which takes the setting, or give it new pulumi.Config("oneoff").get("runId")`,
    );
  }
  const dashboard = (await attached.pages()).find(({ name }) => name === "dashboard")?.address;
  if (dashboard) console.log(`The dashboard fills in while the run goes on: ${dashboard}`);
  const leave = () => {
    console.log(`\nThe run goes on: "npx oneoff watch ${stack}" shows it again.`);
    process.exit(130);
  };
  process.once("SIGINT", leave);
  const succeeded = await watch(new Follower(attached), attached.run, {
    logs: false,
    output: process.stdout,
    ...(stack !== DEFAULT_STACK && { stack }),
  });
  process.off("SIGINT", leave);
  if (dashboard) console.log(`Dashboard: ${dashboard}`);
  return succeeded;
}
