/** A node of a fleet as its scripts see it: accounts, homes, processes and a real sshd, in namespaces of its own. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { opensshRoot } from "../debian.ts";
import { freePorts } from "../free-port.ts";

const ASSETS = fileURLToPath(new URL("../../assets/fleet", import.meta.url));
const SCRIPT = fileURLToPath(new URL("node.sh", import.meta.url));
const USERS = "/var/lib/oneoff/users.json";

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What stands in users.json. */
export interface NodeUser {
  readonly name: string;
  readonly keys: readonly string[];
}

export interface KeyPair {
  readonly file: string;
  readonly line: string;
}

// A display, so that ssh would forward it.
const env = { ...process.env, DISPLAY: "127.0.0.1:9" };
const ended = (program: string, words: readonly string[], input = ""): Promise<Ended> =>
  new Promise((resolve) => {
    const child = execFile(program, words, { timeout: 60_000, env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code ?? 255) : 0, out, err }),
    );
    child.stdin?.on("error", () => {}); // it ended without having read all
    child.stdin?.end(input);
  });

/** @param jupyter folder that is /mnt/jupyter on the node, where users can read it. */
export async function startNode(jupyter?: string) {
  const folder = mkdtempSync(join(tmpdir(), "oneoff-node-"));
  const port = await freePorts(3);
  const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const words = [SCRIPT, ASSETS, opensshRoot(), String(port), ...(jupyter ? [jupyter] : [])];
  const node = spawn("unshare", [...namespaces, "sh", ...words], { stdio: ["pipe", "ignore", "pipe"] });
  let log = "";
  node.stderr.on("data", (data) => {
    log += data;
  });
  for (const end = Date.now() + 20_000; !log.includes(`listening on 127.0.0.1 port ${port}`); ) {
    if (Date.now() > end || node.exitCode !== null) {
      node.stdin.end();
      throw new Error(`no node came up:\n${log}`);
    }
    await sleep(20);
  }
  const [init = ""] = readFileSync(`/proc/${node.pid}/task/${node.pid}/children`, "utf8").trim().split(" ");

  const inside = ["--target", init, "--mount", "--pid", "--wd=/"];
  /** As root on the node. */
  const run = (...words: readonly string[]) => ended("nsenter", [...inside, ...words]);
  const must = async (...words: readonly string[]): Promise<string> => {
    const { code, out, err } = await run(...words);
    if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}:\n${out}${err}`);
    return out;
  };
  const write = async (file: string, text: string) => {
    const { code, err } = await ended("nsenter", [...inside, "sh", "-c", `cat > ${file}`], text);
    if (code !== 0) throw new Error(err);
  };
  const start = (...words: readonly string[]) => spawn("nsenter", [...inside, ...words], { stdio: "ignore" });

  const sync = (...words: readonly string[]) =>
    run("python3.11", "/opt/oneoff/scripts/fleet/users.py", "--file", USERS, "sync", ...words);
  /** Has them as the node's users; `age` is how long ago that was confirmed. */
  async function users(all: readonly NodeUser[], age = 0): Promise<Record<string, unknown>> {
    await write(USERS, JSON.stringify({ fleet: "test", users: all }));
    await must("touch", "-d", `${age} seconds ago`, USERS);
    const { code, out, err } = await sync();
    if (code !== 0) throw new Error(err);
    return JSON.parse(out);
  }

  const options = [
    ...["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"],
    ...["IdentitiesOnly=yes", "ConnectTimeout=10"],
  ].flatMap((option) => ["-o", option]);
  const sshWords = (user: string, key: KeyPair, words: readonly string[]) => [
    ...["-F", "none", "-i", key.file, "-p", String(port), ...options],
    ...[...words.filter((word) => word.startsWith("-")), `${user}@127.0.0.1`],
    ...words.filter((word) => !word.startsWith("-")),
  ];
  const sessions: ChildProcess[] = [];

  return {
    port,
    run,
    must,
    write,
    start,
    sync,
    users,
    log: () => log,
    usersFile: USERS,
    key(name: string): KeyPair {
      const file = join(folder, name);
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", `${name}@laptop`, "-f", file]);
      return { file, line: readFileSync(`${file}.pub`, "utf8").trim() };
    },
    /** What a command of a user's came to; options begin with a dash and are a word each. */
    ssh: (user: string, key: KeyPair, ...words: readonly string[]) => ended("ssh", sshWords(user, key, words)),
    /** One that stays until it is ended. */
    session(user: string, key: KeyPair, ...words: readonly string[]): ChildProcess {
      const child = spawn("ssh", sshWords(user, key, words), { stdio: ["pipe", "ignore", "ignore"] });
      sessions.push(child);
      return child;
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.kill();
      node.stdin.end();
      await once(node, "close");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type FleetNode = Awaited<ReturnType<typeof startNode>>;

/** What comes first from a port of this machine; "" when it is refused, or closed without a word. */
export const greeting = (port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(10_000, () => socket.destroy());
    socket.once("data", (data) => {
      resolve(String(data));
      socket.destroy();
    });
    socket.once("error", () => resolve(""));
    socket.once("close", () => resolve(""));
  });
