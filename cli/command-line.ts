import { readFileSync } from "node:fs";
import { Command } from "commander";
import { UsageError } from "../core/errors.ts";
import { groups } from "./command.ts";
import { commands } from "./commands/index.ts";
import { commandIn, takesGlobalOptions } from "./global-options.ts";
import { refuseForeignWord } from "./hints.ts";

/**
 * Carries out a command, whose module alone is loaded.
 * @throws UsageError and CommanderError for words that are none, and what the command throws.
 */
export async function carryOut(words: readonly string[]): Promise<void> {
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  const [own, flags] = [words.slice(0, end), words.slice(end + 1)];
  const asked = own[0] === "help" ? own[1] : commandIn(own);
  const entry = asked !== undefined && Object.hasOwn(commands, asked) ? commands[asked] : undefined;
  if (asked !== undefined && !entry) refuseForeignWord(asked);
  if (flags.length > 0 && entry?.passesTo === undefined)
    throw new UsageError(`nothing is taken after "--" here, and there is ${flags.join(" ")}`);
  const isUnknown = own[0] === "help" && asked !== undefined && !entry; // what it is, is told, and not all there is
  await (await programWith(entry && asked, flags)).parseAsync(isUnknown ? own.slice(1) : own, { from: "user" });
}

/** The commands, one of which can be given. @param name of that one. @default none */
export async function programWith(name: string | undefined, flags: readonly string[] = []): Promise<Command> {
  const program = frame();
  const entry = name === undefined ? undefined : commands[name];
  const command = program.commands.find((command) => command.name() === name);
  if (!entry || !command) return program;
  (await entry.load()).describe(command, flags, commands);
  if (entry.passesTo !== undefined) command.usage(`${command.usage()} [-- options of ${entry.passesTo}]`);
  return program;
}

/** The commands with what the help says of them. */
function frame(): Command {
  const { version } = JSON.parse(readFileSync(new URL(packageFile(), import.meta.url), "utf8"));
  const program = takesGlobalOptions(new Command("oneoff"))
    .description("Throwaway Spark and ML infrastructure: rented when it is needed, and gone when the work is done")
    .version(version, "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({ outputError: () => {} }) // tellError does
    .configureHelp({ showGlobalOptions: false, subcommandTerm: (command) => command.name() })
    .addHelpCommand(new Command("help").argument("[command]").description("the same as --help").helpGroup("Set-up:"))
    .addHelpText("after", EXAMPLES);
  for (const group of [...groups, undefined]) {
    if (group) program.commandsGroup(`${group}:`);
    for (const [name, { summary }] of Object.entries(commands).filter(([, entry]) => entry.group === group)) {
      program
        .command(name, { hidden: group === undefined })
        .summary(summary)
        .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`);
    }
  }
  return program;
}

const EXAMPLES = `
Examples:
  oneoff doctor emr-oneoff     what is missing, and how to get it
  oneoff up emr-oneoff         what it costs at most, then the run
  oneoff open emr-oneoff       its dashboard
  oneoff down emr-oneoff       the end of all that it has

oneoff COMMAND --help tells more. What is set: pulumi config, oneoff settings.`;

/** Beside the published code stands the package, one folder further away. */
function packageFile(): string {
  return import.meta.url.endsWith(".js") ? "../../package.json" : "../package.json";
}
