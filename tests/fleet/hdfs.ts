/** A real HDFS of this machine and the fleet's scripts beside it, for tests and figures. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { hdfsServices } from "../../components/common/services/hdfs.ts";
import type { ProcessArgs } from "../../components/local/process.ts";
import { type LocalService, portsOf, renderProcesses } from "../../components/local/processes.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { folder } from "../../provider/folder.ts";
import { type ProcessId, registered, stop } from "../../provider/process.ts";
import { below, environmentOf, serviceProcess } from "../../provider/service-process.ts";
import { freePorts } from "../free-port.ts";
import { hadoopHome } from "../hadoop.ts";

const assets = fileURLToPath(new URL("../../assets", import.meta.url));
export const python = fileURLToPath(new URL("../../.oneoff/venv/bin/python", import.meta.url));
const image = join(assets, "images/hdfs");

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export class Hdfs {
  /** The namenode first. */
  readonly processes: readonly ProcessArgs[];
  /** Address of the namenode's pages. */
  readonly http: string;
  /** Where each data node takes data. */
  readonly nodes: readonly string[];
  readonly replication: number;
  readonly #home: string;
  readonly #lake: string;

  private constructor(home: string, replication: number, port: number, count: number, hadoop: string) {
    this.#home = home;
    this.#lake = join(home, "lake");
    this.replication = replication;
    const services = hdfsServices({ datanodes: count, replication }, "hdfs") as readonly LocalService[];
    const software = { hdfs: { folder: image, env: { HADOOP_HOME: hadoop } } };
    const { processes, address } = renderProcesses(services, { lake: this.#lake, port, software });
    this.processes = processes;
    this.http = address("namenode", "http");
    this.nodes = processes.slice(1).map(({ name }) => address(name, "data"));
  }

  /** Starts so many data nodes and their namenode. */
  static async start(count: number, replication: number): Promise<Hdfs> {
    const home = mkdtempSync(join(tmpdir(), "oneoff fleet-")); // a blank, as in the names of some people's folders
    const hdfs = new Hdfs(home, replication, await freePorts(portsOf(count)), count, await hadoopHome());
    try {
      await folder.create("", { path: hdfs.#lake, retain: false });
      await Promise.all(hdfs.processes.map((one) => serviceProcess.create("", one)));
      return hdfs;
    } catch (error) {
      await hdfs.remove();
      throw error;
    }
  }

  async remove(): Promise<void> {
    await folder.delete({ path: this.#lake, retain: false });
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** One of the processes. @param number 0 for the namenode, then the data nodes. */
  #process(number: number): ProcessArgs {
    return this.processes[number] as ProcessArgs;
  }

  #supervisor(number: number): ProcessId | undefined {
    return registered(lakeLayout(this.#lake).service(this.#process(number).name));
  }

  /** Kills a process with all that it started, which has no time to say good-bye. */
  kill(number: number): void {
    process.kill((this.#supervisor(number) as ProcessId).pid, "SIGKILL");
  }

  async stop(number: number): Promise<void> {
    await stop(this.#supervisor(number));
  }

  /** Starts one that ended over what is on its disk. */
  async startAgain(number: number): Promise<void> {
    await serviceProcess.update(this.#process(number), this.#process(number));
  }

  /** Takes a data node away with its disk. */
  async take(number: number): Promise<void> {
    await serviceProcess.delete(this.#process(number));
  }

  get members(): string {
    return below({ lake: this.#lake, name: "namenode" }, "/data/members.json");
  }

  /** Where a data node keeps its blocks. */
  blocks(number: number): string {
    return below({ lake: this.#lake, name: this.#process(number).name }, "/data/blocks");
  }

  get env(): NodeJS.ProcessEnv {
    return environmentOf({ lake: this.#lake, name: "namenode" }) as NodeJS.ProcessEnv;
  }

  /** HDFS's own client. */
  dfs(...args: readonly string[]): string {
    return execFileSync(join(image, "entrypoint"), ["dfs", ...args], {
      env: this.env,
      encoding: "utf8",
      stdio: "pipe",
    });
  }

  /** Begins one of the fleet's scripts. */
  begin(script: string, ...args: readonly string[]) {
    const child = spawn(python, [join(assets, "fleet", script), "--namenode", this.http, ...args], { env: this.env });
    const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]).then(
      ([out, err, [code]]): Ended => ({ code, out, err }),
    );
    return { child, ended };
  }

  push(...args: readonly string[]): Promise<Ended> {
    return this.begin("push.py", ...args).ended;
  }

  /** Begins to set which data nodes belong to HDFS. */
  beginNodes(wanted: readonly string[], maintenance: readonly string[] = []) {
    const told = ["--members", this.members, "--replication", String(this.replication), "--wanted", ...wanted];
    const patience = ["--maintenance", ...maintenance, "--patience", "150"];
    return this.begin("hdfs_nodes.py", ...told, ...patience, "--", join(image, "entrypoint"), "refresh-nodes");
  }

  setNodes(wanted: readonly string[], maintenance: readonly string[] = []): Promise<Ended> {
    return this.beginNodes(wanted, maintenance).ended;
  }

  async status(): Promise<Status> {
    const { out } = await this.begin("fleet_status.py", "--master", "127.0.0.1:1").ended;
    return (JSON.parse(out) as { readonly hdfs: Status }).hdfs;
  }

  async list(path: string): Promise<readonly string[]> {
    const answer = await fetch(`http://${this.http}/webhdfs/v1${path}?op=LISTSTATUS&user.name=oneoff`);
    if (answer.status === 404) return [];
    const { FileStatuses } = (await answer.json()) as { FileStatuses: { FileStatus: { pathSuffix: string }[] } };
    return FileStatuses.FileStatus.map(({ pathSuffix }) => pathSuffix);
  }
}

/** What fleet_status.py says of HDFS, as far as it is asked for here. */
export interface Status {
  readonly state: string;
  readonly live: number;
  readonly missing: number;
  readonly underReplicated: number;
  readonly nodes: readonly { readonly address: string; readonly state: string; readonly blocks: number }[];
}
