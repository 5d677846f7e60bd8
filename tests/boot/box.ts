/** A fleet whose machines are namespaces of this one, started by the real user data; see box.py. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { appFiles } from "../../components/aws/fleet/app.ts";
import { loader, type NodeConfig, partsOf, sha256 } from "../../components/aws/fleet/node-config.ts";
import { yarnFiles } from "../../components/aws/fleet/sharing.ts";
import { fleetScripts } from "../../components/aws/fleet/software.ts";
import { fleetKeys, NodeReport } from "../../core/fleet-lake.ts";
import { nftablesRoot, opensshRoot } from "../debian.ts";
import { hadoopHome } from "../hadoop.ts";

const BOX = fileURLToPath(new URL("box.py", import.meta.url));
const VENV = fileURLToPath(new URL("../../.oneoff/venv", import.meta.url));

export const FLEET = "fleet";
export const keys = fleetKeys(FLEET);

export interface Machine {
  /** Runs a program as root there; what it printed. */
  must(...words: readonly string[]): Promise<string>;
  /** What its user data printed. */
  bootLog(): string;
}

const run = (program: string, words: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) =>
    execFile(program, words, { timeout: 120_000 }, (error, out, err) =>
      error ? reject(new Error(`${words.join(" ")}: ${out}${err}`)) : resolve(out),
    ),
  );

const SSH = [
  ...[
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "BatchMode=yes",
    "ConnectTimeout=10",
  ],
].flatMap((option) => ["-o", option]);

/** What every machine of a box installs: nothing, it is there. */
const INSTALLER = 'print("software is there")\n';

/** Files of our own, as a machine installs them. */
function layOut(files: Readonly<Record<string, string>>, folder: string): string {
  for (const [to, from] of Object.entries(files)) {
    const place = join(folder, to);
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, readFileSync(from), { mode: readFileSync(from, "utf8").startsWith("#!") ? 0o755 : 0o644 });
  }
  return folder;
}

/** What machines of a box have beside HDFS and Spark. */
export interface Packages {
  /** Folder into which JupyterLab was installed. */
  readonly jupyter?: string;
  /** The same of what scoring imports. */
  readonly scoring?: string;
  /** Folder with the jars of YARN. */
  readonly yarn?: string;
}

export async function startBox({ jupyter, scoring, yarn }: Packages) {
  const folder = mkdtempSync(join(tmpdir(), "oneoff-box-"));
  const lake = join(folder, "lake");
  const scripts = layOut(fleetScripts(), join(folder, "scripts"));
  if (scoring !== undefined) cpSync(scoring, join(folder, "scoring/packages"), { recursive: true });
  const software = {
    ...{ scripts, hadoop: await hadoopHome(), python: VENV },
    ...(jupyter !== undefined && { jupyter }),
    ...(scoring !== undefined && { scoring: layOut(appFiles(), join(folder, "scoring")) }),
    // One over the other.
    ...(yarn !== undefined && { yarn: `${layOut(yarnFiles(), join(folder, "yarn"))}:${yarn}` }),
  };
  const debian = [opensshRoot(), nftablesRoot()].filter((root) => root !== "/").join(" ");
  const words = [BOX, folder, debian, ...Object.entries(software).map(([name, place]) => `${name}=${place}`)];
  const namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const box = spawn("unshare", [...namespaces, "python3.11", ...words], { stdio: ["pipe", "pipe", "inherit"] });
  const pids = createInterface({ input: box.stdout })[Symbol.asyncIterator]();

  const put = (key: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(lake, key)), { recursive: true });
    writeFileSync(join(lake, key), content);
  };
  const get = (key: string): string | undefined =>
    existsSync(join(lake, key)) ? readFileSync(join(lake, key), "utf8") : undefined;
  put(`_software/${sha256(INSTALLER)}/software.py`, INSTALLER);

  const boxInit = () => readFileSync(`/proc/${box.pid}/task/${box.pid}/children`, "utf8").trim();

  return {
    folder,
    put,
    get,
    list: (key: string) => (existsSync(join(lake, key)) ? readdirSync(join(lake, key)) : []),
    /** Boots one by the user data that it would get. */
    async machine(name: string, address: string, config: NodeConfig): Promise<Machine> {
      const content = JSON.stringify(config);
      const key = keys.config(sha256(content));
      put(key, content);
      const installer = `_software/${sha256(INSTALLER)}/software.py`;
      const script = loader({
        parts: partsOf(config),
        ...{ bucket: "box", region: "us-west-2", boot: keys.boot, config: key, configDigest: sha256(content) },
        ...{ installer, installerDigest: sha256(INSTALLER), manifest: "0".repeat(64) },
      });
      const file = join(folder, `${name}.sh`);
      writeFileSync(file, script);
      box.stdin.write(`${name} ${address} ${file}\n`);
      const { value: pid = "" } = await pids.next();
      const inside = ["--net", "--mount", "--pid", "--uts"];
      const root = join(folder, name, "root");
      const path = ["env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "chroot", root];
      const enter = () => [
        "--target",
        boxInit(),
        ...inside.slice(0, 3),
        "nsenter",
        "--target",
        pid,
        ...inside,
        ...path,
      ];
      return {
        must: (...words) => run("nsenter", [...enter(), ...words]),
        bootLog: () => readFileSync(join(folder, `${name}.log`), "utf8"),
      };
    },
    /** What a command of a user's printed there; it is given by a machine of the same network. */
    ssh: (user: string, key: string, address: string, ...words: readonly string[]): Promise<string> =>
      run("nsenter", ["--target", boxInit(), "--net", "ssh", ...SSH, "-i", key, `${user}@${address}`, ...words]),
    report(node: string): NodeReport | undefined {
      const text = get(keys.node(node));
      return text === undefined ? undefined : NodeReport.parse(JSON.parse(text));
    },
    /** Copies what a failed test would want to look at. */
    logs(to: string) {
      for (const name of readdirSync(folder)) {
        const units = join(folder, name, "changes/var/log/units");
        if (existsSync(units)) cpSync(units, join(to, name), { recursive: true });
      }
    },
    async [Symbol.asyncDispose]() {
      box.stdin.end();
      const dead = once(box, "close");
      await Promise.race([dead, sleep(5000)]);
      box.kill("SIGKILL");
      await dead;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
export type Box = Awaited<ReturnType<typeof startBox>>;

/** Waits for what comes to be so. */
export async function eventually<T>(what: string, look: () => T | undefined | Promise<T | undefined>, seconds = 300) {
  for (const end = Date.now() + seconds * 1000; ; await sleep(500)) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`${what} was not so within ${seconds} s`);
  }
}
