import { existsSync } from "node:fs";
import type { Command } from "commander";
import { RefusedError } from "../core/errors.ts";
import { answerJson } from "./answer.ts";
import { jsonOption } from "./arguments.ts";
import { ask } from "./ask.ts";
import { PulumiError } from "./backend-error.ts";
import { settingsFile } from "./config.ts";
import { costOf, withSettings } from "./cost.ts";
import { describeStack, type MeantStack } from "./meant-stack.ts";
import { programFiles } from "./program.ts";
import { checkLogin, ensureStack, pulumi } from "./pulumi.ts";
import { attachUp, up, watchRun } from "./up.ts";

/** What commands take that bring a stack up. */
export interface BringUpOptions {
  readonly yes?: boolean;
  readonly detach?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const takesBringUpOptions = (command: Command): Command =>
  command
    .option("-y, --yes", "don't ask")
    .option("-d, --detach", "leave as soon as the run was begun")
    .option("--dry-run", "say what it costs and would make: `pulumi preview`")
    .addOption(jsonOption());

/** What a command that brings a stack up ends with. */
export const BRING_UP_EXITS = {
  1: "the run failed",
  4: "Pulumi failed (its own codes are passed on)",
  5: "it may cost more than oneoff:maxCost",
  8: "it was not agreed to, or the run was cancelled",
} as const;

interface How extends BringUpOptions {
  /** Options of `pulumi preview` and `pulumi up`. */
  readonly flags: readonly string[];
  /** The run that is made. @default whichever the stack's settings name */
  readonly run?: string;
  /** Does what is to be done around Pulumi's part, and resolves to the exit code. @default nothing */
  around?(pulumi: () => Promise<number>): Promise<number>;
}

/**
 * Says what a stack costs at most, asks where that is anything, has Pulumi bring it up, and watches its run.
 * @throws RefusedError when it may cost more than it is allowed to.
 */
export async function bringUp(meant: MeantStack, how: How): Promise<void> {
  const { name } = meant;
  const { flags, run: id, json, around = (act) => act() } = how;
  const files = programFiles(name);
  const { short, ceiling, refusal } = await costOf(withSettings(files, id === undefined ? [] : [`runId=${id}`]));
  if (refusal !== undefined) {
    throw new RefusedError(
      `refused: ${refusal}; "npx --no oneoff cost ${name} --set KEY=VALUE" says what would be cheaper`,
    );
  }
  const out = json ? process.stderr : process.stdout; // the answer alone is on standard output
  console.error(`To bring up ${describeStack(meant)}. ${short}`);
  await checkLogin(name);
  if (ceiling > 0 && !how.yes && !how.dryRun) await ask("Bring it up?", "it rents machines");
  if (files.bundled || existsSync(settingsFile(name))) await ensureStack(name, ["--no-select"]);
  if (how.dryRun) {
    process.exitCode = await around(() => pulumi(name, ["preview", ...flags], out));
    return;
  }
  const code = await around(() => up(name, flags, out));
  if (code !== 0 && json) throw new PulumiError(`pulumi up of stack ${name} ended with ${code}`, undefined, code);
  process.exitCode = code;
  if (code !== 0) return;
  const attached = await attachUp(name, id);
  const { run } = attached;
  if (json) answerJson("up/1", { stack: name, run });
  if (!how.detach && !json) {
    process.exitCode = await watchRun(name, attached);
    return;
  }
  console.error(
    `Run ${run} goes on. Next: "npx --no oneoff watch ${name}" follows it, "npx --no oneoff cancel ${name}" ends it.`,
  );
}
