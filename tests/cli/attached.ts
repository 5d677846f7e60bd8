/** A stack's cluster as the commands attach to it. */
import { cancelRun } from "../../cli/cancel.ts";
import type { StackFiles } from "../../cli/config.ts";
import { Follower } from "../../cli/follow.ts";
import type { Outputs, StackContext } from "../../cli/platform.ts";
import { attach } from "../../cli/registry.ts";
import { stackContext } from "../../cli/stack.ts";
import { fetchParts } from "../../clients/lake/read.ts";
import type { RunStatus } from "../../core/run.ts";

/** A stack that comes with the package, with these settings. */
export const filesOf = (stack: string, config: StackFiles["config"] = {}): StackFiles => ({
  ...{ project: "oneoff", stack, others: [], secret: [], bundled: true, config },
});

export const contextOf = (stack: string, outputs: Outputs = {}, config: StackFiles["config"] = {}): StackContext =>
  stackContext(stack, filesOf(stack, config), outputs);

/** What `pulumi stack export` prints of a stack with such outputs. */
export const exported = (outputs: Outputs): string =>
  JSON.stringify({ version: 3, deployment: { resources: [{ type: "pulumi:pulumi:Stack", outputs }] } });

/** All that commands ask of a cluster. */
export async function attached(stack: StackContext, pollMs?: number) {
  const attached = await attach(stack);
  const follower = new Follower(pollMs === undefined ? attached : { ...attached, pollMs });
  return {
    pollMs: follower.pollMs,
    status: (run: string): Promise<RunStatus | undefined> => follower.status(run),
    log: (run: string, step: string, from: number) => follower.log(run, step, from),
    evidence: (run: string) => follower.evidence(run),
    isKept: (status: RunStatus) => attached.isKept?.(status) ?? false,
    cancel: (run: string) => cancelRun(stack.name, attached, run, { agree: async () => {}, say() {} }),
    pages: () => attached.pages(),
    route: (name: string) => attached.route(name),
    partFiles: (run: string, table: string, scratch: string) => fetchParts(attached.lake, table, run, scratch),
  };
}
