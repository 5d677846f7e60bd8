import * as pulumi from "@pulumi/pulumi";
import { type BillLine, ceiling } from "../../core/bill.ts";
import { arg, quote, refusal, UsageError } from "../../core/errors.ts";
import { runIdSetting } from "./run-id.ts";

/** What the commands of `oneoff` read of one thing of a stack, by the names of the stack's outputs. */
export type CommandOutputs = Readonly<Record<string, pulumi.Input<unknown>>>;

export interface StackParts {
  /** The cluster whose run the commands follow; it knows its lake. */
  readonly cluster: { readonly runId: string; readonly outputs: CommandOutputs };
  /** What `oneoff open` leads to. @default none */
  readonly dashboard?: { readonly outputs: CommandOutputs } | undefined;
  /** What all of it costs at most, for `oneoff cost` and `oneoff watch`. @default not said, or nothing */
  readonly bill?: readonly BillLine[] | undefined;
}

/** Written out, since a type that other modules infer can't be of Pulumi's own names. */
const PARTS: readonly string[] = ["cluster", "dashboard", "bill"] satisfies readonly (keyof StackParts)[];

/**
 * The outputs of a stack that all commands of `oneoff` need, to be what its program exports: `export default outputs({...})`,
 * and in CommonJS `module.exports = outputs({...})`. Outputs of one's own are put beside them:
 * `export default { ...outputs({...}), mine }`.
 *
 * @throws UsageError when the stack's setting `oneoff:runId`, which `oneoff run` sets, is another than the cluster's, and for
 * what is no cluster and no dashboard of this package.
 */
export function outputs(parts: StackParts): Record<string, pulumi.Input<unknown>> {
  const { cluster, dashboard, bill } = checkParts(parts);
  const setting = runIdSetting();
  if (setting !== undefined && setting !== cluster.runId) {
    throw refusal`${arg("runId", "oneoff:runId")} is ${quote(setting)}, and the program's cluster has runId ${quote(cluster.runId)}: leave its runId out, which takes the setting, or give it new pulumi.Config("oneoff").get("runId")`;
  }
  return { ...cluster.outputs, ...dashboard?.outputs, ...(bill && { ceiling: ceiling(bill), bill: [...bill] }) };
}

/** The command that leads to a dashboard whose address is of no use by itself: nobody can connect to its machine. */
export const openCommand = (): string => `npx --no oneoff open ${pulumi.getStack()}`;

/** Not every program has types. */
function checkParts(parts: StackParts): StackParts {
  const given: Readonly<Record<string, unknown>> = { ...parts };
  const unknown = Object.keys(given).find((key) => !PARTS.includes(key));
  if (unknown !== undefined) {
    throw new UsageError(
      `outputs is given ${quote(unknown)}: there are ${PARTS.join(", ")}; the cluster knows its lake`,
    );
  }
  for (const part of ["cluster", "dashboard"]) {
    if (part === "dashboard" && given[part] === undefined) continue;
    if (typeof (given[part] as Partial<StackParts["cluster"]> | undefined)?.outputs !== "object") {
      throw new UsageError(
        `outputs is given no ${part} of pulumi-oneoff: give the component itself, such as outputs({ cluster, dashboard })`,
      );
    }
  }
  if (given.bill !== undefined && !Array.isArray(given.bill)) {
    throw new UsageError("outputs is given a bill that is none: give the lines that the components' bill() return");
  }
  return parts;
}
