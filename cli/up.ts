import { quote, UsageError } from "../core/errors.ts";
import { Follower } from "./follow.ts";
import { pulumi } from "./pulumi.ts";
import { attach } from "./registry.ts";
import { stackUp } from "./stack.ts";
import { watch } from "./watch.ts";

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
    console.error(
      `\nThe run goes on: "npx oneoff watch ${stack}" shows it again, and "npx oneoff cancel ${stack}" ends it.`,
    );
    process.exit(130);
  };
  console.error(`Ctrl-C leaves it running; "npx oneoff cancel ${stack}" ends it.`);
  process.once("SIGINT", leave);
  const succeeded = await watch(new Follower(attached), attached.run, {
    logs: false,
    output: process.stdout,
    stack,
  });
  process.off("SIGINT", leave);
  if (dashboard) console.log(`Dashboard: ${dashboard}`);
  return succeeded;
}
