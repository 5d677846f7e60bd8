/**
 * A Docker engine in swarm mode for a test, and nobody else's: on its own socket, bridges and addresses, so that it gets
 * along with one that the machine has. Images stay in the user's cache for the next test, of whichever checkout, and for a
 * week; nothing else outlives `stop`.
 */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CACHE } from "../cache.ts";

const run = promisify(execFile);
/** Where images may be: what all checkouts share and, while a test of another one has that, this one's own. */
const PLACES = [join(CACHE, "docker"), fileURLToPath(new URL("../../.oneoff/test-docker", import.meta.url))];
/** Of Swarm, on the address that it is given; no other can be chosen. */
const GOSSIP_PORT = 7946;
const START_SECONDS = 60;
const STOP_SECONDS = 30;

export interface Swarm {
  /** Its address: "unix:///...". */
  readonly host: string;
  /** Environment with which `docker` and Pulumi's plugin talk to it. */
  readonly env: { readonly DOCKER_HOST: string };
  /** Removes everything but images and ends the engine, if it is the test's own. */
  stop(): Promise<void>;
}

/** There is no engine to test with. */
export interface NoSwarm {
  /** Why, and what to do about it. */
  readonly missing: string;
}

/**
 * Starts an engine of the test's own, which takes root. With ONEOFF_TEST_DOCKER=use it is the one that runs already:
 * at DOCKER_HOST or the default socket, and in swarm mode. The test then has to remove what it made.
 */
export async function startSwarm(): Promise<Swarm | NoSwarm> {
  if (process.env.ONEOFF_TEST_DOCKER === "use") return runningEngine();
  const lacking = ["docker", "dockerd", "ip", "iptables", "setpriv"].filter((program) => !isInstalled(program));
  const cure = "set ONEOFF_TEST_DOCKER=use to test with the engine that runs here";
  if (lacking.length > 0) return { missing: `${lacking.join(" and ")} not installed: install docker.io, or ${cure}` };
  if (process.getuid?.() !== 0) return { missing: `not root, so no Docker engine can be started: be root, or ${cure}` };
  if (!(await isFree(GOSSIP_PORT))) {
    return {
      missing: `port ${GOSSIP_PORT} is taken, which says that the machine's own Docker is in swarm mode: ${cure}`,
    };
  }
  const engine = new Engine();
  try {
    engine.claim();
    await engine.start().catch((error) => engine.startWithout(error));
    return engine;
  } catch (error) {
    const why = `${(error as Error).message.trim()}${engine.lastLines()}`;
    await engine.stop();
    return { missing: `the Docker engine for tests could not be started: ${why}` };
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

const isInstalled = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

async function runningEngine(): Promise<Swarm | NoSwarm> {
  const host = process.env.DOCKER_HOST ?? "unix:///var/run/docker.sock";
  const env = { DOCKER_HOST: host };
  const asked = await run("docker", ["info", "--format", "{{.Swarm.LocalNodeState}}"], {
    env: { ...process.env, ...env },
    timeout: 10_000,
  }).catch((error: { stderr?: string; message: string }) => ({ stdout: "", stderr: error.stderr || error.message }));
  const state = asked.stdout.trim();
  if (state === "active") return { host, env, stop: async () => undefined };
  return {
    missing: `ONEOFF_TEST_DOCKER=use, but Docker at ${host} ${state ? "is not in swarm mode: docker swarm init" : `does not answer: ${asked.stderr.trim()}`}`,
  };
}

/** What an engine has of the machine; kept on disk, so that the next test can take away what a killed one left. */
interface Belongings {
  /** Process of the test, and when it was started: another may have got its number. */
  readonly owner: number;
  readonly started: string;
  /** For its socket and what is in its memory. */
  readonly folder: string;
  /** In the names and addresses of its own. */
  readonly number: number;
}

class Engine implements Swarm {
  readonly #belongings: Belongings;
  readonly host: string;
  readonly env: { readonly DOCKER_HOST: string };
  #process: ChildProcess | undefined;
  #place: string | undefined;

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "oneoff-engine-"));
    this.#belongings = { owner: process.pid, started: startOf(process.pid), folder, number: freeNumber() };
    this.host = `unix://${folder}/docker.sock`;
    this.env = { DOCKER_HOST: this.host };
  }

  /**
   * Takes a place for images, and takes away what a killed test left there.
   * @throws Error when all belong to tests that are still running.
   */
  claim(): void {
    for (const place of PLACES) {
      mkdirSync(place, { recursive: true });
      const path = join(place, "belongings.json");
      if (existsSync(path)) {
        const old = JSON.parse(readFileSync(path, "utf8")) as Belongings;
        if (old.owner !== process.pid && startOf(old.owner) === old.started) continue;
        takeAway(old, place);
        rmSync(path);
      }
      try {
        writeFileSync(path, JSON.stringify(this.#belongings), { flag: "wx" });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") continue; // another was faster
        throw error;
      }
      this.#place = place;
      forgetSwarm(place);
      return;
    }
    throw new Error(`other tests use ${PLACES.join(" and ")}: wait until one has ended`);
  }

  get #data(): string {
    return join(this.#place as string, "data");
  }

  /** Starts it without the images, if they are what it ended at: another Docker's, or a killed machine's. */
  async startWithout(error: Error): Promise<void> {
    if (typeof this.#process?.exitCode !== "number") throw error;
    await this.#end();
    rmSync(this.#data, { recursive: true, force: true });
    await this.start();
  }

  async start(): Promise<void> {
    const { folder, number } = this.#belongings;
    addBridge(number);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, "daemon.json"), "{}"); // the machine's own configuration is for another engine
    const log = openSync(join(folder, "dockerd.log"), "a");
    const options = {
      "config-file": join(folder, "daemon.json"),
      host: this.host,
      "data-root": this.#data,
      "exec-root": join(folder, "exec"),
      pidfile: join(folder, "docker.pid"),
      "containerd-namespace": `oneoff-test-${number}`,
      "containerd-plugins-namespace": `oneoff-test-plugins-${number}`,
      bridge: bridge(number),
      // The chains have the same names for all engines. Ports are led to containers by docker-proxy.
      iptables: "false",
      "shutdown-timeout": "5",
      "log-level": "warn",
    };
    // It ends with this process, however that ends.
    this.#process = spawn(
      "setpriv",
      ["--pdeathsig", "TERM", "dockerd", ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)],
      { stdio: ["ignore", log, log] },
    );
    closeSync(log);
    await this.#answers();
    await this.#removeAll();
    await this.#beSwarm();
  }

  /** The end of the engine's log. */
  lastLines(): string {
    const log = join(this.#belongings.folder, "dockerd.log");
    if (!existsSync(log)) return "";
    return readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .slice(-3)
      .map((line) => `\n  ${line}`)
      .join("");
  }

  async stop(): Promise<void> {
    if (this.#place === undefined) return rmSync(this.#belongings.folder, { recursive: true });
    if (this.#process?.exitCode === null) {
      await this.#docker("swarm", "leave", "--force").catch(() => undefined);
      await this.#removeAll().catch(() => undefined);
      // No sooner: they have the steps of a Dockerfile that come before the one which has changed.
      for (const kind of ["image", "builder"]) {
        await this.#docker(kind, "prune", "--all", "--force", "--filter", "until=168h").catch(() => undefined);
      }
    }
    await this.#end();
    rmSync(join(this.#place, "belongings.json"), { force: true });
  }

  /** The process, and what it has of the machine. */
  async #end(): Promise<void> {
    const running = this.#process;
    if (running && running.exitCode === null) {
      const ended = new Promise((resolve) => running.once("exit", resolve));
      running.kill("SIGTERM");
      await Promise.race([ended, sleep(STOP_SECONDS * 1000, undefined, { ref: false })]);
    }
    takeAway(this.#belongings, this.#place as string);
  }

  async #answers(): Promise<void> {
    const end = Date.now() + START_SECONDS * 1000;
    while (true) {
      try {
        await this.#docker("info");
        return;
      } catch (error) {
        if (this.#process?.exitCode !== null) throw new Error("dockerd ended at once");
        if (Date.now() > end) throw error;
      }
      await sleep(100);
    }
  }

  /** Containers and volumes, of which a test that was killed has left some. */
  async #removeAll(): Promise<void> {
    for (const [list, remove] of [
      [
        ["ps", "--all", "--quiet"],
        ["rm", "--force", "--volumes"],
      ],
      [
        ["volume", "ls", "--quiet"],
        ["volume", "rm", "--force"],
      ],
    ] as const) {
      const found = (await this.#docker(...list)).split(/\s+/).filter(Boolean);
      if (found.length > 0) await this.#docker(...remove, ...found);
    }
  }

  /** On addresses and ports that no other engine has. */
  async #beSwarm(): Promise<void> {
    const { number } = this.#belongings;
    const own = "com.docker.network.bridge";
    const options = [`${own}.name=${gateway(number)}`, `${own}.enable_icc=false`, `${own}.enable_ip_masquerade=true`];
    await this.#docker(
      ...["network", "create", "--subnet", `172.28.${number}.0/24`],
      ...options.flatMap((option) => ["--opt", option]),
      "docker_gwbridge", // of this name Swarm makes one itself, else
    );
    const address = `127.0.${number}.1:${30_000 + number}`;
    await this.#docker(
      ...["swarm", "init", "--advertise-addr", address, "--listen-addr", address],
      ...["--data-path-port", String(20_000 + number)],
    );
  }

  async #docker(...args: readonly string[]): Promise<string> {
    const { stdout } = await run("docker", [...args], { env: { ...process.env, ...this.env }, timeout: 60_000 });
    return stdout;
  }
}

const bridge = (number: number): string => `oneoff-t${number}`;
const gateway = (number: number): string => `oneoff-g${number}`;

/** One whose bridges aren't there. */
function freeNumber(): number {
  const links = readdirSync("/sys/class/net");
  const taken = (number: number) => links.includes(bridge(number)) || links.includes(gateway(number));
  let number: number;
  do number = 1 + Math.floor(Math.random() * 250);
  while (taken(number));
  return number;
}

/** Containers outside the swarm, and builds of images, reach the Internet by it. */
function addBridge(number: number): void {
  const name = bridge(number);
  execFileSync("ip", ["link", "add", name, "type", "bridge"]);
  execFileSync("ip", ["address", "add", `172.29.${number}.1/24`, "dev", name]);
  execFileSync("ip", ["link", "set", name, "up"]);
  for (const rule of rules(number)) execFileSync("iptables", ["--wait", "-t", rule.table, "-I", ...rule.rule]);
}

const rules = (number: number) =>
  [
    { table: "nat", rule: `POSTROUTING -s 172.29.${number}.0/24 ! -o ${bridge(number)} -j MASQUERADE` },
    { table: "filter", rule: `FORWARD -i ${bridge(number)} -j ACCEPT` },
    { table: "filter", rule: `FORWARD -o ${bridge(number)} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT` },
  ].map(({ table, rule }) => ({ table, rule: rule.split(" ") }));

/** All of an engine that may be left, once its process has ended or has to. */
function takeAway({ folder, number }: Belongings, place: string): void {
  for (const id of processesOf(folder)) tolerate(() => process.kill(id, "SIGKILL"));
  for (const path of mountsBelow([folder, join(place, "data")])) spawnSync("umount", ["--lazy", path]);
  for (const { table, rule } of rules(number)) spawnSync("iptables", ["--wait", "-t", table, "-D", ...rule]);
  for (const link of [bridge(number), gateway(number)]) spawnSync("ip", ["link", "delete", link]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  forgetSwarm(place);
}

/** Where services and networks would come back from. Containers are removed by the engine, which knows their layers. */
function forgetSwarm(place: string): void {
  for (const part of ["swarm", "network"]) rmSync(join(place, "data", part), { recursive: true, force: true });
}

/** When a process was started, in ticks since the machine was; empty when there is none of that number. */
const startOf = (id: number): string =>
  tolerate(() => readFileSync(`/proc/${id}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19]) ?? "";

/** dockerd, its containerd and their helpers: each has the folder in its command line. */
function processesOf(folder: string): number[] {
  const ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return ids
    .filter((id) => (tolerate(() => readFileSync(`/proc/${id}/cmdline`, "utf8")) ?? "").includes(folder))
    .map(Number);
}

/** The innermost come first. */
function mountsBelow(folders: readonly string[]): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const paths = mounts.map((line) => (line.split(" ")[1] ?? "").replaceAll("\\040", " "));
  return paths.filter((path) => folders.some((folder) => `${path}/`.startsWith(`${folder}/`))).reverse();
}

/** What may be gone in the meantime. */
function tolerate<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
