/** A docker that answers as the real one of Debian 12 (20.10) did, and what that says of the service of a job. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Answers by the first pattern that its arguments have, in the order they were given; else it refuses. */
export interface Answer {
  readonly to: string;
  readonly out?: string;
  readonly err?: string;
}

/** Of a shell's own commands alone: the tests start it some hundred times. */
const STUB = `#!/bin/sh
printf '%s\\n' "$*" >> "\${0%/*}/docker.log"
. "\${0%/*}/docker.answers"
echo "stand-in: no answer to docker $*" >&2
exit 1
`;

export interface DockerStub {
  /** From now on. */
  answers(...list: readonly Answer[]): void;
  /** What it was asked, by its arguments. */
  asked(): readonly string[];
  /** All that it was asked so far. */
  forget(): void;
}

/** Puts it into a folder, which is to be on PATH. */
export function dockerIn(bin: string): DockerStub {
  const log = join(bin, "docker.log");
  writeFileSync(join(bin, "docker"), STUB, { mode: 0o755 });
  return {
    answers: (...list) => writeFileSync(join(bin, "docker.answers"), list.map(answer).join("\n")),
    asked: () => linesOf(log),
    forget: () => writeFileSync(log, ""),
  };
}

const word = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

const answer = ({ to, out, err }: Answer) =>
  [
    `case "$*" in *${word(to)}*)`,
    out && `printf '%s\\n' ${word(out)}`,
    err ? `printf '%s\\n' ${word(err)} >&2; exit 1` : "exit 0",
    ";; esac",
  ]
    .filter(Boolean)
    .join("\n");

/** Lines of a file that something may have written by now. */
export function linesOf(file: string): readonly string[] {
  const text = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  return text === "" ? [] : text.split("\n");
}

/** Name of the job's service. */
export const SERVICE = "oneoff-swarm-run-1";

export const T0 = "2026-11-21T18:54:37.079745802Z";

/** As docker prints what it lists. */
export const json = (...values: readonly object[]) => values.map((value) => JSON.stringify(value)).join("\n");

/** Its only task, which runs. */
export const task = (more: object): Answer => ({
  to: "service ps --no-trunc",
  out: json({
    ...{ ID: "pwdeja08ln04yolksr3n2ql92", Name: `${SERVICE}.1`, Image: "oneoff-spark:1", Node: "vm", Ports: "" },
    ...{ CurrentState: "Running 7 seconds ago", DesiredState: "Running", Error: "" },
    ...more,
  }),
});

export const ended = (state: string, problem: string): Answer =>
  task({ CurrentState: `${state} 7 seconds ago`, DesiredState: "Shutdown", Error: problem });

export const SERVICE_IS: Answer = { to: "service inspect", out: JSON.stringify([{ ID: "x", UpdatedAt: T0 }]) };
