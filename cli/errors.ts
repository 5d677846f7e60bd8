/** What a command that fails says, and what it ends with. */
import { CommanderError } from "commander";
import { Exit, TransientError, UsageError } from "../core/errors.ts";
import { commandIn } from "./global-options.ts";
import { printableOn } from "./printable.ts";

/** An error as it is told. */
interface Told {
  readonly message: string;
  readonly exit: number;
  /** What to do, where the message says it apart. */
  readonly cure?: string | undefined;
}

/** Says what went wrong in one line: text, or JSON where that was asked for. @returns the exit code. */
export async function tellError(error: unknown, words: readonly string[]): Promise<number> {
  if (error instanceof CommanderError && SHOWN.has(error.code)) return error.exitCode === 0 ? Exit.ok : Exit.usage;
  const told = explain(error, words) ?? (await askPlatforms(error));
  if (told && words.includes("--json")) {
    const { message, exit, cure = null } = told;
    const code = Object.entries(Exit).find(([, code]) => code === exit)?.[0] ?? "failed";
    process.stderr.write(`${JSON.stringify({ schema: "oneoff.error/1", code, message, exit, cure })}\n`);
    return exit;
  }
  if (told) process.stderr.write(`oneoff: ${printableOn(process.stderr, told.message)}\n`);
  if (!told || process.env.ONEOFF_DEBUG) process.stderr.write(`${(error as Error)?.stack ?? String(error)}\n`);
  if (!told) process.stderr.write("oneoff: that is a fault of oneoff itself: please report it with the lines above\n");
  return told?.exit ?? Exit.bug;
}

/** What commander throws when all has been shown: the help, which is an answer where it was asked for. */
const SHOWN: ReadonlySet<string> = new Set(["commander.help", "commander.helpDisplayed", "commander.version"]);

function explain(error: unknown, words: readonly string[]): Told | undefined {
  if (error instanceof UsageError) return { message: error.message, exit: error.exit, cure: error.cure };
  if (error instanceof TransientError) return { message: error.message, exit: error.exit };
  if (isOfNoFolder(error)) {
    const cure = "go to another";
    return { message: `the folder that this was asked for in is not there any more: ${cure}`, exit: Exit.usage, cure };
  }
  if (!(error instanceof CommanderError)) return undefined;
  const [what = "", meant] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = JSON_ELSEWHERE.test(what) ? "did you mean --json?" : meant?.replace(/^\(Did (.*)\)$/, "did $1");
  const command = commandIn(words);
  const help = error.code === "commander.unknownCommand" || command === undefined ? "help" : `${command} --help`;
  const cure = `oneoff ${help} tells more`; // npx takes options that stand before a command for its own
  const parts = [what.replace(/\.$/, ""), ...(suggestion ? [suggestion] : []), cure];
  return { message: parts.join("; "), exit: Exit.usage, cure };
}

/** How other tools are asked for JSON. */
const JSON_ELSEWHERE = /^unknown option '(-o|-ojson|--output|--format)\b/;

/** Node's, of a working directory that was removed. */
const isOfNoFolder = (error: unknown): boolean => (error as NodeJS.ErrnoException | undefined)?.syscall === "uv_cwd";

/** What a cloud's SDK threw. The platforms are loaded for it only then. */
async function askPlatforms(error: unknown): Promise<Told | undefined> {
  if (!(error instanceof Error)) return undefined;
  const { platforms } = await import("./registry.ts");
  const message = platforms.map((platform) => platform.explain?.(error)).find((told) => told !== undefined);
  return message === undefined ? undefined : { message, exit: Exit.failed };
}
