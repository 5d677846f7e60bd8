import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { quote, TransientError, UsageError } from "../core/errors.ts";

const TIMEOUT_MS = 60_000;

/** Another machine, by its address such as "ssh://me@machine". */
export interface Machine {
  readonly address: string;
  /** More options of ssh, as Pulumi's provider takes them. */
  readonly options: readonly string[];
}

/** @throws UsageError when docker:sshOpts is no list. */
export const sshMachine = (address: string, config: Readonly<Record<string, string>>): Machine => ({
  address,
  options: sshOptions(config["docker:sshOpts"]),
});

function sshOptions(given: string | undefined): readonly string[] {
  if (given === undefined) return (process.env.DOCKER_SSH_OPTS ?? "").split(" ").filter((option) => option !== "");
  try {
    const options: unknown = JSON.parse(given);
    if (Array.isArray(options) && options.every((option) => typeof option === "string")) return options;
  } catch {
    // told below
  }
  throw new UsageError(`docker:sshOpts is ${quote(given)}: expected a list of texts, such as ["-i", "key"]`);
}

/** What follows `ssh` for a machine, before a command. */
export function sshArguments({ address, options }: Machine): readonly string[] {
  const { username, hostname, port } = new URL(address);
  return [...options, ...(port ? ["-p", port] : []), `${username ? `${username}@` : ""}${hostname}`];
}

/** A word as a shell takes it. */
export const shellWord = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * What a shell command prints on another machine.
 * @throws TransientError when that can't be reached, UsageError when it lets nobody in or the command fails.
 */
export async function onMachine(machine: Machine, command: string): Promise<Buffer> {
  try {
    const options = { encoding: "buffer", timeout: TIMEOUT_MS, maxBuffer: 1 << 28 } as const;
    return (await promisify(execFile)("ssh", [...sshArguments(machine), command], options)).stdout;
  } catch (error) {
    throw explain(error as Error, machine);
  }
}

/** The same as it comes, however much it is, of a command that is given `input`. It fails as {@link onMachine} does. */
export const streamOf = (machine: Machine, command: string, input = ""): Readable =>
  Readable.from(printed(machine, command, input), { objectMode: false });

async function* printed(machine: Machine, command: string, input: string): AsyncGenerator<Buffer> {
  const ssh = spawn("ssh", [...sshArguments(machine), command]);
  const ended = once(ssh, "close");
  ended.catch(() => {}); // told below
  const said = buffer(ssh.stderr).catch(() => Buffer.of());
  const timer = setTimeout(() => ssh.kill(), TIMEOUT_MS);
  try {
    ssh.stdin.on("error", () => {}).end(input); // whoever doesn't read it says why
    for await (const chunk of ssh.stdout.on("error", () => {})) {
      yield chunk;
      timer.refresh();
    }
    const [code] = await ended;
    if (code === 0) return;
    const message = `the command ended with ${code}`;
    throw Object.assign(new Error(message), { code, killed: ssh.killed, stderr: await said });
  } catch (error) {
    throw explain(error as Error, machine);
  } finally {
    clearTimeout(timer);
    ssh.kill();
  }
}

function explain(
  error: Error & { readonly code?: unknown; readonly killed?: boolean; readonly stderr?: Buffer },
  machine: Machine,
): Error {
  if (error.code === "ENOENT") return new UsageError("ssh is not on PATH: install OpenSSH's client");
  const said =
    error.stderr?.toString().trim().split("\n").at(-1)?.trim().replace(/\.$/, "") || error.message.split("\n")[0];
  if (error.killed) return new TransientError(`${machine.address} doesn't answer within ${TIMEOUT_MS / 1000} seconds`);
  if (error.code !== 255) return new UsageError(`${machine.address}: ${said}`);
  if (!/permission denied|host key/i.test(said ?? "")) {
    return new TransientError(`${machine.address} can't be reached: ${said}`);
  }
  return new UsageError(
    `${machine.address} lets nobody in: ${said}; "ssh ${sshArguments(machine).join(" ")}" must work without a question`,
  );
}
