/** What a shell completes of `oneoff`, as a script that starts nothing: names of stacks come from the files of settings. */
import { Command, type Option } from "commander";
import type { CommandEntry } from "./command.ts";
import { takesGlobalOptions } from "./global-options.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** What can follow a word. */
interface Words {
  /** Such as "runs show"; "" for the first word. */
  readonly after: string;
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly CompletedOption[];
  /** What else it takes. */
  readonly value: Value;
}

/** One of these, a stack, or what nobody knows here, such as a file. */
type Value = readonly string[] | "stack" | "any";

interface CompletedOption {
  readonly long: string;
  readonly short?: string;
  readonly about: string;
  /** @default it takes nothing */
  readonly value?: Value;
}

/** What every command takes. */
const EVERYWHERE: readonly CompletedOption[] = [
  ...takesGlobalOptions(new Command()).options.map(completed),
  { long: "--help", short: "-h", about: "display help for command" },
];
const VERSION: CompletedOption = { long: "--version", short: "-V", about: "print the version" };

/** The commands, by their names. */
type Commands = Readonly<Record<string, CommandEntry>>;

/** @returns the script of a shell. */
export async function completionScript(shell: Shell, commands: Commands): Promise<string> {
  const all = await allWords(commands);
  return { bash, zsh, fish }[shell](all);
}

async function allWords(commands: Commands): Promise<readonly Words[]> {
  const shown = Object.entries(commands).filter(([, { group }]) => group !== undefined);
  const first = shown.map(([name, { summary }]) => ({ name, about: summary }));
  const described = await Promise.all(
    shown.map(async ([name, entry]) => {
      const command = new Command(name);
      (await entry.load()).describe(command, [], commands);
      return wordsOf(command, name);
    }),
  );
  return [{ after: "", commands: first, options: [VERSION], value: "any" }, ...described.flat()];
}

function wordsOf(command: Command, after: string): readonly Words[] {
  const commands = command.commands.map((sub) => ({ name: sub.name(), about: sub.summary() || sub.description() }));
  const [argument] = command.registeredArguments;
  const value: Value = argument?.argChoices ?? (argument?.name() === "stack" ? "stack" : "any");
  const own = { after, commands, options: command.options.filter(({ hidden }) => !hidden).map(completed), value };
  return [own, ...command.commands.flatMap((sub) => wordsOf(sub, `${after} ${sub.name()}`))];
}

function completed({ long, short, description, argChoices, required, optional }: Option): CompletedOption {
  const isStack = long === "--stack";
  const takes = required || optional;
  return {
    long: long ?? (short as string),
    ...(short && { short }),
    about: description,
    ...(takes && { value: argChoices ?? (isStack ? "stack" : "any") }),
  };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const STACKS = "for f in Pulumi.*.yaml stacks/Pulumi.*.yaml; do";

/** Words, or options after a dash, by what is typed before; a value by its option. Zsh has path, words and options of its own. */
function bash(all: readonly Words[]): string {
  const cases = all.map(({ after, commands, options, value }) => {
    const words = [...commands.map(({ name }) => name), ...valuesInBash(value)].join(" ");
    return `        ${quoted(after)}) choices="${words}" flags="${flagsOf(options)}" ;;`;
  });
  return `# oneoff in bash: eval "$(oneoff completion bash)"
_oneoff_stacks() {
  local f
  ${STACKS} [ -e "$f" ] && f=\${f##*/Pulumi.} && f=\${f#Pulumi.} && echo "\${f%.yaml}"; done
}
_oneoff() {
  local cur=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} at="" given="" word choices flags
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
    case "$at $word" in
${nested(all)
  .map((path) => `      ${quoted(path.includes(" ") ? path : ` ${path}`)}) at=${quoted(path)} ;;`)
  .join("\n")}
    esac
  done
  # Bash takes --option=value for three words, and zsh for one.
  [ "$before" = "=" ] && before=\${COMP_WORDS[COMP_CWORD-2]}
  [ "$cur" = "=" ] && cur=""
  case "$cur" in --*=*) before=\${cur%%=*} given=\${cur%%=*}= cur=\${cur#*=} ;; esac
  case "$before" in
${valueCases(all)
  .map(({ flags, words }) => `    ${flags.join("|")}) choices="${words}" ;;`)
  .join("\n")}
    *)
      case "$at" in
${cases.join("\n")}
      esac
      case "$cur" in -*) choices="$flags ${flagsOf(EVERYWHERE)}" ;; esac ;;
  esac
  COMPREPLY=($(compgen -P "$given" -W "$choices" -- "$cur"))
}
complete -o default -F _oneoff oneoff`;
}

const flagsOf = (options: readonly CompletedOption[]): string => options.map(({ long }) => long).join(" ");

const valuesInBash = (value: Value): readonly string[] =>
  value === "stack" ? ["$(_oneoff_stacks)"] : value === "any" ? [] : value;

const nested = (all: readonly Words[]): readonly string[] =>
  all.map(({ after }) => after).filter((after) => after !== "");

/** What follows an option that takes a value, whichever command's. */
function valueCases(all: readonly Words[]): readonly { readonly flags: readonly string[]; readonly words: string }[] {
  const found = new Map<string, string>();
  for (const { long, short, value } of [...EVERYWHERE, ...all.flatMap(({ options }) => options)]) {
    if (value === undefined) continue;
    const flags = [...(short ? [short] : []), long].join(" ");
    found.set(flags, valuesInBash(value).join(" "));
  }
  return [...found].map(([flags, words]) => ({ flags: flags.split(" "), words }));
}

/** As bash does it, whose way zsh knows. */
const zsh = (all: readonly Words[]): string =>
  `# oneoff in zsh: eval "$(oneoff completion zsh)"
autoload -Uz compinit bashcompinit
(( $+functions[compdef] )) || compinit
bashcompinit
${bash(all).replace(/^#.*\n/, "")}`;

function fish(all: readonly Words[]): string {
  const lines = all.flatMap(({ after, commands, options, value }) => {
    const below = commands.map(({ name }) => name).join(" ");
    const isAt = `__oneoff_at ${after}${below === "" ? "" : `; and not __fish_seen_subcommand_from ${below}`}`;
    const start = `complete -c oneoff -n ${quoted(after === "" ? "__fish_use_subcommand" : isAt)}`;
    const values = valuesInFish(value);
    return [
      ...commands.map(({ name, about }) => `${start} -f -a ${name} -d ${quoted(about)}`),
      ...(values === undefined ? [] : [`${start} -f -a ${values}`]),
      ...options.map((option) => `${start} ${optionInFish(option)}`),
    ];
  });
  const everywhere = EVERYWHERE.map((option) => `complete -c oneoff ${optionInFish(option)}`);
  return `# oneoff in fish: oneoff completion fish | source
function __oneoff_stacks
  for f in Pulumi.*.yaml stacks/Pulumi.*.yaml
    string replace -r '^(?:.*/)?Pulumi\\.(.*)\\.yaml$' '$1' $f
  end
end
function __oneoff_at
  set -l words (commandline -opc)
  set -l typed (string match -v -- '-*' $words[2..-1])
  test "$typed[1]" = $argv[1]; or return
  for word in $argv[2..-1]
    contains -- $word $typed; or return
  end
end
${[...everywhere, ...lines].join("\n")}`;
}

function optionInFish({ long, short, about, value }: CompletedOption): string {
  const values = value && valuesInFish(value);
  return [
    ...(short ? ["-s", short.slice(1)] : []),
    `-l ${long.slice(2)} -d ${quoted(about)}`,
    ...(value === undefined ? [] : [values === undefined ? "-r" : `-x -a ${values}`]),
  ].join(" ");
}

const valuesInFish = (value: Value): string | undefined =>
  value === "any" ? undefined : quoted(value === "stack" ? "(__oneoff_stacks)" : value.join(" "));
