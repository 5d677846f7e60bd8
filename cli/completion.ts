/** What a shell completes of `oneoff`, as a script that starts nothing: names of stacks come from the files of settings. */
import { Command, type Option } from "commander";
import type { CommandEntry } from "./command.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** What can follow a word. */
interface Words {
  /** Such as "runs show"; "" for the first word. */
  readonly after: string;
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly CompletedOption[];
  readonly takesStack: boolean;
}

interface CompletedOption {
  readonly long: string;
  readonly short?: string;
  readonly about: string;
  /** What it takes: one of these, a stack, anything, or nothing. */
  readonly value?: readonly string[] | "stack" | "any";
}

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
  return [{ after: "", commands: first, options: [], takesStack: false }, ...described.flat()];
}

function wordsOf(command: Command, after: string): readonly Words[] {
  const commands = command.commands.map((sub) => ({ name: sub.name(), about: sub.summary() || sub.description() }));
  const takesStack = command.registeredArguments.some((argument) => argument.name() === "stack");
  const own = { after, commands, options: command.options.map(completed), takesStack };
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

/** Words and options by what is typed before; a value by its option. */
function bash(all: readonly Words[]): string {
  const words = ({ commands, options, takesStack }: Words) =>
    [
      ...commands.map(({ name }) => name),
      ...options.map(({ long }) => long),
      "--help",
      ...(takesStack ? ["$(_oneoff_stacks)"] : []),
    ].join(" ");
  const cases = all.map((one) => `    ${one.after === "" ? '""' : quoted(one.after)}) words="${words(one)}" ;;`);
  return `# oneoff in bash: eval "$(oneoff completion bash)"
_oneoff_stacks() {
  local f
  ${STACKS} [ -e "$f" ] && f=\${f##*/Pulumi.} && f=\${f#Pulumi.} && echo "\${f%.yaml}"; done
}
_oneoff() {
  local cur=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path="" word words
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
    case "$path $word" in
${nested(all)
  .map((path) => `      ${quoted(path.includes(" ") ? path : ` ${path}`)}) path=${quoted(path)} ;;`)
  .join("\n")}
    esac
  done
  case "$before" in
${valueCases(all)
  .map(({ flags, words }) => `    ${flags.join("|")}) COMPREPLY=($(compgen -W "${words}" -- "$cur")); return ;;`)
  .join("\n")}
  esac
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _oneoff oneoff`;
}

const nested = (all: readonly Words[]): readonly string[] =>
  all.map(({ after }) => after).filter((after) => after !== "");

/** What follows an option that takes a value, whichever command's. */
function valueCases(all: readonly Words[]): readonly { readonly flags: readonly string[]; readonly words: string }[] {
  const found = new Map<string, string>();
  for (const { long, short, value } of all.flatMap(({ options }) => options)) {
    if (value === undefined) continue;
    const words = value === "stack" ? "$(_oneoff_stacks)" : value === "any" ? "" : value.join(" ");
    const flags = [...(short ? [short] : []), long].join(" ");
    found.set(flags, words);
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
  const lines = all.flatMap(({ after, commands, options, takesStack }) => {
    const when = quoted(after === "" ? "__fish_use_subcommand" : `__oneoff_at ${after}`);
    const start = `complete -c oneoff -n ${when}`;
    return [
      ...commands.map(({ name, about }) => `${start} -f -a ${name} -d ${quoted(about)}`),
      ...(takesStack ? [`${start} -f -a '(__oneoff_stacks)'`] : []),
      ...options.map(({ long, short, about, value }) =>
        [
          start,
          ...(short ? ["-s", short.slice(1)] : []),
          `-l ${long.slice(2)} -d ${quoted(about)}`,
          ...(value === undefined
            ? []
            : value === "any"
              ? ["-r"]
              : [`-x -a ${quoted(value === "stack" ? "(__oneoff_stacks)" : value.join(" "))}`]),
        ].join(" "),
      ),
    ];
  });
  return `# oneoff in fish: oneoff completion fish | source
function __oneoff_stacks
  for f in Pulumi.*.yaml stacks/Pulumi.*.yaml
    string replace -r '^(?:.*/)?Pulumi\\.(.*)\\.yaml$' '$1' $f
  end
end
function __oneoff_at
  set -l words (commandline -opc)
  set -l typed
  for word in $words[2..-1]
    string match -q -- '-*' $word; or set -a typed $word
  end
  test (count $typed) -ge (count $argv); and test "$typed[1..$(count $argv)]" = "$argv"
end
${lines.join("\n")}`;
}
