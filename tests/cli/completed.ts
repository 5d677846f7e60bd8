/** What a user's shell completes who did what docs/commands.md tells, in the folder of a project. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { commands } from "../../cli/commands/index.ts";
import { completionScript, type Shell, shells } from "../../cli/completion.ts";
import { pageNames } from "../../cli/registry.ts";
import { readPage } from "../docs/generated.ts";

const STACKS = ["emr-oneoff", "local", "mine"];
const FILES = [
  "Pulumi.yaml",
  "Pulumi.mine.yaml",
  ...["emr-oneoff", "local"].map((name) => `stacks/Pulumi.${name}.yaml`),
];

const EVERYWHERE = ["--color", "--help", "--quiet", "--verbose"];

/** What may follow what was typed. */
const TYPED: Readonly<Record<string, readonly string[]>> = {
  "oneoff ": Object.keys(commands).filter((name) => commands[name]?.group),
  "oneoff st": ["status"],
  "oneoff --": ["--version", ...EVERYWHERE],
  "oneoff --color ": ["always", "auto", "never"],
  "oneoff -q st": ["status"],
  "oneoff status ": STACKS,
  "oneoff status l": ["local"],
  "oneoff status --": ["--all", "--follow", "--json", "--stack", ...EVERYWHERE],
  "oneoff status local --f": ["--follow"],
  "oneoff down --stack e": ["emr-oneoff"],
  "oneoff down -s m": ["mine"],
  "oneoff runs ": [...STACKS, "rm", "show"],
  "oneoff runs s": ["show"],
  "oneoff runs --": ["--json", "--number", "--stack", ...EVERYWHERE],
  "oneoff runs show --": ["--json", "--stack", ...EVERYWHERE],
  "oneoff runs -n 5 rm --": ["--dry-run", "--stack", "--yes", ...EVERYWHERE],
  "oneoff open --ui ": pageNames,
  "oneoff get --format ": ["csv", "parquet"],
  "oneoff get --format=c": ["--format=csv"],
  "oneoff get points --format=p": ["--format=parquet"],
  "oneoff completion ": shells,
  "oneoff check Pulumi.m": ["Pulumi.mine.yaml"],
};

/** The same, in order. */
export const COMPLETED = Object.fromEntries(
  Object.entries(TYPED).map(([typed, offered]) => [typed, offered.toSorted()]),
);

/** How a shell is had to put all that completes a line into it, and to carry that out. */
interface Typist {
  /** What it does at its start. */
  readonly start: string;
  /** The program, its arguments, and what it reads. */
  type(lines: readonly string[]): readonly [program: string, args: readonly string[], input?: string];
}

const TYPISTS: Readonly<Record<Shell, Typist>> = {
  bash: {
    start: "bind 'TAB: insert-completions'",
    type: (lines) => ["bash", ["-i"], lines.map((line) => `${line}\t\n`).join("")],
  },
  zsh: {
    start: `PS1='ready> '
zle -C every complete-word _generic
zstyle ':completion:every:*' completer _all_matches _complete
zstyle ':completion:every:*' insert true
bindkey '^I' every`,
    type: (lines) => ["zsh", ["-fc", IN_TERMINAL, "zsh", ...lines.map((line) => `${line}\t`)]],
  },
  fish: { start: "", type: (lines) => ["fish", ["-c", BY_COMPLETE, ...lines]] },
};

/** Zsh completes on a terminal alone. */
const IN_TERMINAL = `zmodload zsh/zpty
zpty user zsh -i
for line in "$@"; do
  zpty -r user said '*ready> '
  zpty -w user "$line"
done
zpty -r user said '*ready> '`;

const BY_COMPLETE = String.raw`for line in $argv
  eval (string replace -r '\S*$' '' -- $line) (complete -C $line | string replace -r '\t.*' '')
end`;

/** In the place of all that could be started: says so, and prints the script that is asked for. */
const STUB = `#!/bin/sh
echo "\${0##*/} $*" >>"$HOME/started"
[ "$3" != completion ] || cat "$HOME/script"
`;

/** What docs/commands.md tells to type once, and to write into which file. */
function told(shell: Shell) {
  const lines = new RegExp(
    `^ {4}(npx --no oneoff completion ${shell} .*?)(?: {2,}#.*)?\n {4}(.*?) {2,}# in ~/(.*)$`,
    "m",
  );
  const [, typed = "", line = "", file = ""] = lines.exec(readPage("docs/commands.md")) ?? [];
  return { typed, line, file };
}

interface Answer {
  /** By what was typed. */
  readonly offered: Readonly<Record<string, readonly string[]>>;
  /** How many programs were started beside those that were typed. */
  readonly started: number;
}

/** Has a shell complete each of these lines. */
export async function completedBy(shell: Shell, lines: readonly string[]): Promise<Answer> {
  const home = mkdtempSync(join(tmpdir(), "oneoff-shell-"));
  const write = (file: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(home, file)), { recursive: true });
    writeFileSync(join(home, file), text, { mode });
  };
  try {
    for (const file of FILES) write(`project/${file}`, "");
    write("script", await completionScript(shell, commands));
    for (const name of ["npx", "node", "oneoff"]) write(`bin/${name}`, STUB, 0o755);
    const env = { HOME: home, PATH: [join(home, "bin"), process.env.PATH].join(delimiter), TERM: "dumb" };
    const run = async (program: string, args: readonly string[], input?: string) => {
      // A shell that has no terminal takes none.
      const options = { cwd: join(home, "project"), env, timeout: 60_000, detached: true };
      const child = spawn(program, args, {
        ...options,
        stdio: [input === undefined ? "ignore" : "pipe", "ignore", "ignore"],
      });
      child.stdin?.end(input);
      await once(child, "exit");
    };
    const { typed, line, file } = told(shell);
    mkdirSync(join(home, ".config/fish/completions"), { recursive: true });
    await run("sh", ["-c", typed]);
    write(file, `${line}\n${TYPISTS[shell].start}\n`);
    await run(...TYPISTS[shell].type(lines));
    const [, ...started] = readFileSync(join(home, "started"), "utf8").trim().split("\n");
    return {
      offered: Object.fromEntries(lines.map((line, at) => [line, addedTo(line, started[at] ?? "")])),
      started: started.length - lines.length,
    };
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The words that a line was given, in order, by the program that it started. */
function addedTo(line: string, started: string): readonly string[] {
  const whole = `npx --no -- ${line.replace(/\S*$/, "")}`;
  return started.startsWith(whole) ? started.slice(whole.length).split(" ").sort() : [started];
}
