/** What a fleet's HDFS must survive, on a real one of four data nodes with two copies of each block. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Hdfs, type Status } from "./hdfs.ts";

Object.assign(process.env, { JDK_JAVA_OPTIONS: "-XX:TieredStopAtLevel=1" });

/** Two blocks, and the second is no multiple of a checksum's piece. */
const LARGE = 140_000_001;
const SMALL = 80;

let work: string;
let hdfs: Hdfs;
/** The data set's files, by name. */
const digests: Record<string, string> = {};
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "oneoff-set-"));
  write("large.bin", randomBytes(LARGE));
  write("none", Buffer.alloc(0));
  write("a folder/100% +ä", Buffer.from("a name"));
  for (let number = 0; number < SMALL; number++) write(`small/${number}.csv`, randomBytes(10_000 + number));
  mkdirSync(join(work, "set/empty"));
  execFileSync("tar", ["-C", join(work, "set"), "-I", "gzip -1", "-cf", archive(), "."]);
  hdfs = await Hdfs.start(4, 2);
});
afterAll(async () => {
  await hdfs?.remove();
  rmSync(work, { recursive: true, force: true });
});

const archive = (name = "set") => join(work, `${name}.tgz`);

function write(name: string, content: Buffer): void {
  mkdirSync(dirname(join(work, "set", name)), { recursive: true });
  writeFileSync(join(work, "set", name), content);
  digests[name] = digestOf(content);
}

const digestOf = (content: Buffer) => createHash("sha256").update(content).digest("hex");

/** Expects every file of the data set in a folder, byte by byte, by way of HDFS's own client. */
function expectAll(folder: string): void {
  const read = join(work, "read");
  hdfs.dfs("-get", folder, read);
  const wrong = Object.entries(digests).filter(([name, digest]) => digestOf(readFileSync(join(read, name))) !== digest);
  rmSync(read, { recursive: true });
  expect(wrong).toEqual([]);
}

const stateOf = ({ nodes }: Status, number: number) =>
  nodes.find(({ address }) => address === hdfs.nodes[number - 1])?.state;
const untilState = (number: number, state: string) =>
  expect.poll(async () => stateOf(await hdfs.status(), number), { timeout: 120_000, interval: 1000 }).toBe(state);
const untilCopied = () =>
  expect.poll(async () => (await hdfs.status()).underReplicated, { timeout: 120_000, interval: 1000 }).toBe(0);
/** The data nodes of these numbers, from 1. */
const those = (...numbers: readonly number[]) => numbers.map((number) => hdfs.nodes[number - 1] as string);
const count = Object.keys;

test("any data node belongs to it until some are named", async () => {
  expect(await hdfs.status()).toMatchObject({ state: "active", live: 4, missing: 0, underReplicated: 0 });
  expect(await hdfs.setNodes(hdfs.nodes)).toEqual({ code: 0, out: "", err: "" });
  expect(JSON.parse(readFileSync(hdfs.members, "utf8"))).toHaveLength(4);
  expect((await hdfs.status()).nodes.map(({ state }) => state)).toEqual(Array(4).fill("in service"));
});

test("a push that is killed leaves nothing half, and the next goes on where it was", async () => {
  const { child, ended } = hdfs.begin("push.py", "--threads", "2", archive(), "/data");
  const staged = async () => {
    const [target] = await hdfs.list("/.push");
    const [staging] = target ? await hdfs.list(`/.push/${target}`) : [];
    return staging ? (await hdfs.list(`/.push/${target}/${staging}/small`)).length : 0;
  };
  await expect.poll(staged, { timeout: 60_000, interval: 20 }).toBeGreaterThan(10);
  child.kill("SIGKILL");
  await ended;
  expect(await hdfs.list("/data")).toEqual([]);

  const { code, out, err } = await hdfs.push(archive(), "/data");
  expect(code, err).toBe(0);
  const done = JSON.parse(out) as { files: number; skipped: number; bytes: number };
  expect(done.files).toBe(count(digests).length);
  expect(done.skipped).toBeGreaterThan(5);
  expect(done.skipped).toBeLessThan(done.files);
  expectAll("/data");
  expect(await hdfs.list("/data")).toContain("empty");
  expect(await hdfs.list("/.push")).toEqual([]);
});

test("a second push sends nothing, also by an address", async () => {
  const server = createServer((_, response) => createReadStream(archive()).pipe(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  for (const source of [archive(), `http://127.0.0.1:${port}/set.tgz?signature=x`]) {
    const { code, out, err } = await hdfs.push(source, "/data");
    expect(code, err).toBe(0);
    const files = count(digests).length;
    expect(JSON.parse(out)).toMatchObject({ files, skipped: files });
  }
  server.close();
});

test("other content is refused, or overwritten; and what HDFS's own client wrote is compared too", async () => {
  mkdirSync(join(work, "other"));
  writeFileSync(join(work, "other/a.csv"), "a,b");
  execFileSync("tar", ["-C", join(work, "other"), "-czf", archive("other"), "."]);
  hdfs.dfs("-D", "dfs.checksum.type=CRC32C", "-mkdir", "/other");
  hdfs.dfs("-D", "dfs.checksum.type=CRC32C", "-put", join(work, "other/a.csv"), "/other/a.csv");
  expect(JSON.parse((await hdfs.push(archive("other"), "/other")).out)).toMatchObject({ files: 1, skipped: 1 });

  writeFileSync(join(work, "other/a.csv"), "b,a");
  writeFileSync(join(work, "other/0.csv"), "new");
  execFileSync("tar", ["-C", join(work, "other"), "-czf", archive("other"), "0.csv", "a.csv"]);
  const refused = await hdfs.push(archive("other"), "/other");
  expect(refused).toMatchObject({ code: 2, out: "" });
  expect(refused.err).toBe(
    `push: /other/a.csv is in HDFS with other content (3 bytes, and 3 in ${archive("other")}): name another folder, or say --overwrite\n`,
  );
  expect(await hdfs.list("/other")).toEqual(["a.csv"]);
  expect(await hdfs.push("--overwrite", archive("other"), "/other")).toMatchObject({ code: 0, err: "" });
  expect(hdfs.dfs("-cat", "/other/0.csv", "/other/a.csv")).toBe("newb,a");
});

test("what climbs out of its folder is refused before anything is written", async () => {
  execFileSync("tar", ["-C", join(work, "other"), "-P", "-czf", archive("climbing"), "a.csv", "../other/0.csv"]);
  const { code, err } = await hdfs.push(archive("climbing"), "/climbing");
  expect(code).toBe(2);
  expect(err).toContain("'../other/0.csv', which climbs out of its folder");
  expect([await hdfs.list("/climbing"), await hdfs.list("/.push")]).toEqual([[], []]);
});

test("one is decommissioned and another killed, and nothing is lost", async () => {
  const { code, err } = await hdfs.setNodes(those(1, 2, 3));
  expect(code, err).toBe(0);
  expect(err).toMatch(/^hdfs: \S+ is being decommissioned: [1-9]\d* blocks? left\n/);
  expect(err).toContain(`hdfs: ${hdfs.nodes[3]} is decommissioned\n`);
  expect(await hdfs.status()).toMatchObject({ missing: 0, underReplicated: 0 });
  await hdfs.take(4);
  hdfs.kill(3);
  expectAll("/data");

  // Named again once it has an empty disk, it is one like the others.
  expect((await hdfs.setNodes(those(1, 2, 3, 4))).code).toBe(0);
  await hdfs.startAgain(4);
  await untilState(3, "dead");
  await untilCopied();
  expectAll("/data");
});

test("one that is dead leaves once there are enough copies elsewhere, and one is decommissioned beside it", async () => {
  // Of a block with as many copies as there were data nodes there can't be enough any more.
  hdfs.dfs("-setrep", "4", "/data/small/1.csv");
  const { code, err } = await hdfs.setNodes(those(1, 2, 4));
  expect(code, err).toBe(0);
  expect(err).toContain(`hdfs: ${hdfs.nodes[2]} is decommissioned\n`);
  await expect.poll(async () => (await hdfs.status()).underReplicated, { timeout: 60_000, interval: 1000 }).toBe(1);
  hdfs.dfs("-setrep", "2", "/data/small/1.csv");
  const both = await hdfs.setNodes(those(2, 4));
  expect(both.code, both.err).toBe(0);
  expect(await hdfs.status()).toMatchObject({ missing: 0, underReplicated: 0 });
  await hdfs.take(1);
  expectAll("/data");
});

test("fewer than there are copies is refused, and nothing changes", async () => {
  const before = readFileSync(hdfs.members, "utf8");
  expect(await hdfs.setNodes(those(2))).toEqual({
    code: 2,
    out: "",
    err: "hdfs: 1 data node can't keep 2 copies of each block: keep at least 2, or lower the replication first\n",
  });
  expect(await hdfs.setNodes([])).toMatchObject({ code: 2 });
  expect(readFileSync(hdfs.members, "utf8")).toBe(before);
  expect((await hdfs.setNodes(hdfs.nodes)).code).toBe(0);
  await Promise.all([1, 3].map((number) => hdfs.startAgain(number)));
  await untilState(1, "in service");
});

test("the namenode is killed in the middle of a decommission, and the call made again ends it", async () => {
  const { child, ended } = hdfs.beginNodes(those(1, 2, 3));
  await new Promise((resolve) => child.stderr.once("data", resolve));
  child.kill("SIGKILL");
  hdfs.kill(0);
  await ended;
  await hdfs.startAgain(0);
  const { code, err } = await hdfs.setNodes(those(1, 2, 3));
  expect(code, err).toBe(0);
  expect(await hdfs.status()).toMatchObject({ missing: 0, underReplicated: 0 });
  await hdfs.take(4);
  expectAll("/data");
  expect((await hdfs.setNodes(hdfs.nodes)).code).toBe(0);
  await hdfs.startAgain(4);
});

test("in maintenance one may be away: its files are read, nothing is copied, and it comes back", async () => {
  const blocks = async () => {
    const { nodes, missing, underReplicated } = await hdfs.status();
    return { missing, underReplicated, blocks: nodes.map((node) => (node.state === "in service" ? node.blocks : "")) };
  };
  const before = (await hdfs.status()).nodes;
  expect(await hdfs.setNodes(hdfs.nodes, those(2))).toEqual({ code: 0, out: "", err: "" });
  await untilState(2, "in maintenance");
  const during = await blocks();
  await hdfs.stop(2);
  await untilState(2, "dead");
  expect(await blocks()).toEqual(during);
  expect(during.missing).toBe(0);
  expectAll("/data");
  await hdfs.startAgain(2);
  expect((await hdfs.setNodes(hdfs.nodes)).code).toBe(0);
  await untilState(2, "in service");
  await untilCopied();
  expect((await hdfs.status()).nodes.map(({ blocks }) => blocks)).toEqual(before.map(({ blocks }) => blocks));
});

/** Blocks by data node, as the namenode counts them. */
const blocksOf = ({ nodes }: Status) => Object.fromEntries(nodes.map(({ address, blocks }) => [address, blocks]));

test("all rest, are stopped and started with their namenode, one long after the others: nothing is copied", async () => {
  const before = await hdfs.status();
  expect(await hdfs.setNodes(hdfs.nodes, hdfs.nodes)).toEqual({ code: 0, out: "", err: "" });
  expect((await hdfs.status()).nodes.map(({ state }) => state)).toEqual(Array(4).fill("in maintenance"));
  const all = [0, 1, 2, 3, 4];
  await Promise.all(all.map((number) => hdfs.stop(number)));

  await Promise.all(all.slice(0, 4).map((number) => hdfs.startAgain(number)));
  const { child, ended } = hdfs.beginNodes(hdfs.nodes);
  await new Promise<void>((resolve) => {
    child.stderr.on("data", (line) => String(line).includes(`waiting for ${those(4)[0]} to come back`) && resolve());
  });
  const { [those(4)[0] as string]: _, ...others } = blocksOf(before);
  for (let second = 0; second < 5; second++) {
    const now = await hdfs.status();
    expect(now).toMatchObject({ state: "active", live: 3, missing: 0 });
    expect(blocksOf(now)).toMatchObject(others);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }

  await hdfs.startAgain(4);
  expect(await ended).toMatchObject({ code: 0 });
  const after = await hdfs.status();
  expect(after).toMatchObject({ state: "active", live: 4, missing: 0, underReplicated: 0 });
  expect(after.nodes.map(({ state }) => state)).toEqual(Array(4).fill("in service"));
  expect(blocksOf(after)).toEqual(blocksOf(before));
  expectAll("/data");
});
