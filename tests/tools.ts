/**
 * What some tests need and set-up does not bring. A test says so by a tag of that name, `{ tags: ["go"] }`, and a whole file
 * by `@module-tag go` in its first comment. Where the tool is missing they are left out, and the end of the run says so.
 */
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface Tool {
  readonly name: string;
  /** What it is, and how to get it. */
  readonly description: string;
  missing(): boolean;
}

const program = (name: string, file: string, description: string): Tool => ({
  name,
  description,
  missing: () => !(process.env.PATH ?? "").split(delimiter).some((folder) => isProgram(join(folder, file))),
});

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export const TOOLS: readonly Tool[] = [
  program("go", "go", "Go, which builds what stands in for Cloud Storage (https://go.dev/doc/install)"),
  program("docker", "docker", "Docker's command line (https://docs.docker.com/engine/install)"),
  program("systemd", "systemd-analyze", "systemd-analyze, which comes with systemd"),
  program("zsh", "zsh", "zsh (Debian's package zsh)"),
  program("fish", "fish", "fish (Debian's package fish)"),
  { name: "root", description: "the rights of root", missing: () => process.getuid?.() !== 0 },
  { name: "mount", description: "the right to mount a file system", missing: () => !mayMount() },
];

const SYS_ADMIN = 21n; // capabilities(7)

function mayMount(): boolean {
  try {
    const [, held] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return ((BigInt(`0x${held}`) >> SYS_ADMIN) & 1n) === 1n;
  } catch {
    return false;
  }
}
