/** Services as processes of this machine: HDFS by the record that Swarm renders too, and the deaths that they must survive. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hdfsServices } from "../../components/common/services/hdfs.ts";
import type { ProcessArgs } from "../../components/local/process.ts";
import { type LocalService, renderProcesses } from "../../components/local/processes.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { folder } from "../../provider/folder.ts";
import { isAlive, type ProcessId, registered } from "../../provider/process.ts";
import { serviceProcess } from "../../provider/service-process.ts";
import { freePorts } from "../free-port.ts";
import { hadoopHome } from "../hadoop.ts";
import { makeProject, processesOf } from "../project.ts";

const HDFS = fileURLToPath(new URL("../../assets/images/hdfs", import.meta.url));
Object.assign(process.env, { JDK_JAVA_OPTIONS: "-XX:TieredStopAtLevel=1" });

let home: string;
let lake: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "oneoff services-")); // a blank, as in the names of some people's folders
  lake = join(home, "lake");
  await folder.create("", { path: lake, retain: false });
});
afterEach(async () => {
  await folder.delete({ path: lake, retain: false });
  expect(processesOf(lake)).toEqual([]);
  rmSync(home, { recursive: true, force: true });
});

const homeOf = (name: string) => lakeLayout(lake).service(name);
const supervisorOf = (name: string) => registered(homeOf(name)) as ProcessId;
const create = (all: readonly ProcessArgs[]) => Promise.all(all.map((one) => serviceProcess.create("", one)));
const until = (what: () => unknown) => expect.poll(what, { timeout: 20_000, interval: 50 });

const answers = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 });
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });

describe("HDFS", () => {
  async function hdfs(datanodes: number) {
    const services = hdfsServices({ datanodes, replication: datanodes }, "hdfs") as readonly LocalService[];
    const software = { hdfs: { folder: HDFS, env: { HADOOP_HOME: await hadoopHome() } } };
    const { processes, pages } = renderProcesses(services, {
      lake,
      port: await freePorts(16 * datanodes),
      software,
    });
    await create(processes);
    const ask = (path: string, init?: RequestInit) => fetch(`${pages.hdfs}webhdfs/v1/${path}`, init);
    const write = async (path: string, content: string) => {
      const place = await ask(`${path}?op=CREATE&noredirect=true`, { method: "PUT" });
      return put(((await place.json()) as { Location: string }).Location, content);
    };
    const read = async (path: string) => (await ask(path)).text();
    return { processes, read, write };
  }

  /** By hand: a datanode says "100 Continue" without being asked, which `fetch` takes for an error. */
  const put = (url: string, content: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const sent = request(url, { method: "PUT" }, (response) => resolve(response.resume().statusCode));
      sent.once("error", reject).end(content);
    });

  test("a namenode and a datanode: what is written is read, also after they were started again", async () => {
    const { processes, read, write } = await hdfs(1);
    const [namenode, datanode] = processes as [ProcessArgs, ProcessArgs];
    expect(await write("a/file", "forty-two")).toBe(201);
    expect(await read("a/file?op=OPEN")).toBe("forty-two");
    await until(() => read("?op=LISTSTATUS")).toContain("spark-events");

    const others = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
    for (const port of [...namenode.ports, ...datanode.ports]) {
      expect(await answers("127.0.0.1", port)).toBe(true);
      for (const address of ["127.0.0.2", ...others.filter((address) => address !== "127.0.0.1")]) {
        expect(await answers(address, port), `${address}:${port}`).toBe(false);
      }
    }

    // A supervisor that is killed takes its JVM with it, and the next `up` starts both again over the same blocks.
    const before = supervisorOf("datanode");
    process.kill(before.pid, "SIGKILL");
    await until(() => processesOf(homeOf("datanode"))).toEqual([]);
    const state = { name: "datanode", lake, ports: datanode.ports };
    expect(await serviceProcess.read(state)).toBeUndefined();
    expect(serviceProcess.diff(state, datanode)).toMatchObject({ changes: true, replaces: [] });
    await serviceProcess.update(state, datanode);
    expect(serviceProcess.diff(state, datanode)).toMatchObject({ changes: false });
    expect(await read("a/file?op=OPEN")).toBe("forty-two");

    for (const one of processes) await serviceProcess.delete(one);
    expect(processesOf(lake)).toEqual([]);
    expect(readdirSync(lakeLayout(lake).services)).toEqual([]);
  });

  test("two datanodes have a copy each, and end with the lake", async () => {
    const { processes, write } = await hdfs(2);
    expect(processes.map(({ name }) => name)).toEqual(["namenode", "datanode", "datanode-2"]);
    expect(await write("file", "x")).toBe(201);
    const copies = () =>
      ["datanode", "datanode-2"].map(
        (name) =>
          readdirSync(join(homeOf(name), "root/data/blocks"), { recursive: true, encoding: "utf8" }).filter((path) =>
            /finalized.*blk_\d+$/.test(path),
          ).length,
      );
    await until(copies).toEqual([1, 1]);
    await folder.delete({ path: lake, retain: false });
    expect(processesOf(lake)).toEqual([]);
    expect(existsSync(lake)).toBe(false);
  });
});

describe("any service", () => {
  const CONTENT = "hush!";

  /** A service whose program is a shell script, and what the provider is told of it. */
  async function rendered(script: string, change: Partial<LocalService> = {}) {
    const software = join(home, "software");
    mkdirSync(software, { recursive: true });
    writeFileSync(join(software, "entrypoint"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const service: LocalService = {
      name: "one",
      image: "script",
      memoryMebibytes: 16,
      files: [{ name: "token", path: "/run/secrets/token", content: CONTENT, isSecret: true }],
      disks: ["/data"],
      health: ["sh", "-c", 'test -e "$ONEOFF_ROOT/data/ready"'],
      ...change,
    };
    const { processes } = renderProcesses([service], {
      lake,
      port: await freePorts(16),
      software: { script: { folder: software } },
    });
    return processes[0] as ProcessArgs;
  }
  const STAYS = 'cat "$ONEOFF_ROOT/run/secrets/token" >> "$ONEOFF_ROOT/data/ready"; exec sleep 1000';
  const inRoot = (path: string) => join(homeOf("one"), "root", path);
  const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

  test("its secrets are files that the user alone may read, in no state, and gone with it", async () => {
    const one = await rendered(STAYS);
    const { id, outs } = await serviceProcess.create("", one);
    expect(id).toBe(homeOf("one"));
    expect(JSON.stringify(outs)).not.toContain(CONTENT);
    expect(modeOf(homeOf("one"))).toBe("700");
    expect(modeOf(inRoot("run/secrets"))).toBe("700");
    expect(modeOf(inRoot("run/secrets/token"))).toBe("600");
    expect(modeOf(join(homeOf("one"), "spec.json"))).toBe("600");
    expect(processesOf(homeOf("one")).join("\n")).not.toContain(CONTENT);
    await serviceProcess.delete(outs);
    expect(existsSync(homeOf("one"))).toBe(false);
  });

  test("in a stack: nothing of a secret is in the state, a refresh finds it as it is, destroy leaves nothing", async () => {
    const one = await rendered(STAYS);
    const project = makeProject();
    const act = (...args: readonly string[]) => project.mustPulumi(...args, "--stack", "local");
    const settings = join(project.folder, "Pulumi.yaml");
    writeFileSync(settings, readFileSync(settings, "utf8").replace("engine/program.mjs", "program.ts"));
    const program = [
      'import * as pulumi from "@pulumi/pulumi";',
      'import { Process } from "./components/local/process.ts";',
      `const one = ${JSON.stringify(one)};`,
      'new Process("one", { ...one, env: { ...one.env, PASSWORD: pulumi.secret("hush, too") } });',
    ];
    writeFileSync(join(project.folder, "program.ts"), program.join("\n"));
    try {
      await act("stack", "init");
      await act("up", "--yes", "--skip-preview");
      expect(isAlive(supervisorOf("one"))).toBe(true);
      await act("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes");
      const state = await act("stack", "export");
      expect(state).toContain("oneoff-local:index:Process");
      expect(state).not.toContain("hush");
      await act("destroy", "--yes", "--skip-preview");
      expect(existsSync(homeOf("one"))).toBe(false);
    } finally {
      project.remove();
    }
  });

  test("a change starts it again: its disks stay, files that it has no more are gone", async () => {
    const one = await rendered(STAYS);
    const { outs } = await serviceProcess.create("", one);
    expect(serviceProcess.diff(outs, one)).toMatchObject({ changes: false });
    expect(await serviceProcess.check("", one, one)).toEqual([]);
    const before = supervisorOf("one");
    const files = [{ name: "token", path: "/etc/token", content: "new" }];
    const changed = { ...one, files, command: ["sh", "-c", STAYS.replace("run/secrets", "etc")] };
    expect(serviceProcess.diff(outs, changed)).toMatchObject({ changes: true, replaces: [] });
    expect(serviceProcess.diff(outs, { ...one, name: "two" })).toMatchObject({ changes: true, replaces: ["name"] });
    await serviceProcess.update(outs, changed);
    expect(isAlive(before)).toBe(false);
    await until(() => readFileSync(inRoot("data/ready"), "utf8")).toBe(`${CONTENT}new`);
    expect(existsSync(inRoot("run/secrets/token"))).toBe(false);
  });

  test("a lake that is taken away ends it", async () => {
    await serviceProcess.create("", await rendered(STAYS));
    rmSync(lake, { recursive: true });
    await until(() => processesOf(lake)).toEqual([]);
  });

  test("one that ends at once is an error with the last that it said, and leaves nothing", async () => {
    const one = await rendered("echo the moon is in the wrong house >&2; exit 3");
    await expect(serviceProcess.create("", one)).rejects.toThrow(
      "one ended before it could be used; the last lines of its log:\nthe moon is in the wrong house",
    );
    expect(existsSync(homeOf("one"))).toBe(false);
  });

  test("a port that another program has, and a name that is no folder's, are refused", async () => {
    const one = await rendered(STAYS, { listens: { http: 80 } });
    const [port] = one.ports as [number];
    const reason = `port ${port} of one: another program listens on it; end that, or give the services another first port, as by oneoff:port`;
    expect(await serviceProcess.check("", one)).toEqual([]);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    expect(await serviceProcess.check("", one)).toEqual([{ property: "ports", reason }]);
    await expect(serviceProcess.create("", one)).rejects.toThrow(reason);
    expect(existsSync(homeOf("one"))).toBe(false);
    other.close();
    expect(await serviceProcess.check("", { ...one, name: "../one" })).toEqual([
      { property: "name", reason: 'name is "../one": expected lower-case letters, digits and dashes, after a letter' },
    ]);
  });
});
