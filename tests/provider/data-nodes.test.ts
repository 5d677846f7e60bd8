/** Which datanodes belong to HDFS: what its namenode goes by counts, and not what the engine was told last. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lakeLayout } from "../../core/lake-layout.ts";
import { dataNodes } from "../../provider/data-nodes.ts";
import { writeJsonFile } from "../project.ts";

let home: string;
let lake: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "oneoff-datanodes-"));
  lake = join(home, "lake");
  writeJsonFile(join(lakeLayout(lake).service("namenode"), "spec.json"), {
    name: "namenode",
    lake,
    env: {},
    files: [],
  });
  for (const name of ["python", "entrypoint"]) program(name, "exit 0");
});
afterEach(() => rmSync(home, { recursive: true }));

/** Notes what it is given, and then does as told. */
function program(name: string, act: string): void {
  const path = join(home, name);
  writeFileSync(path, `#!/bin/sh\necho "${name} $*" >> '${home}/calls'\n${act}\n`);
  chmodSync(path, 0o755);
}
const calls = () => readFileSync(join(home, "calls"), "utf8").trim().split("\n");
const node = (number: number) => ({ name: `datanode-${number}`, address: `127.0.0.1:700${number}` });
const inputs = (replication: number, ...numbers: readonly number[]) => ({
  ...{ lake, namenode: "namenode", http: "127.0.0.1:7000", replication, nodes: numbers.map(node) },
  ...{ python: join(home, "python"), entrypoint: join(home, "entrypoint") },
});
const members = (states: Readonly<Record<number, string>>) =>
  writeJsonFile(
    join(lakeLayout(lake).service("namenode"), "root/data/members.json"),
    Object.entries(states).map(([number, adminState]) => ({
      hostName: "127.0.0.1",
      port: 7000 + Number(number),
      adminState,
    })),
  );

test("an update that was broken off is taken back by the next one", () => {
  const two = inputs(1, 1, 2);
  members({ 1: "NORMAL", 2: "NORMAL" });
  expect(dataNodes.diff(two, two)).toEqual({ changes: false });
  members({ 1: "NORMAL", 2: "DECOMMISSIONED" });
  expect(dataNodes.diff(two, two)).toEqual({ changes: true });
  expect(dataNodes.diff(inputs(1, 1), inputs(1, 1))).toEqual({ changes: false });
  rmSync(lakeLayout(lake).service("namenode"), { recursive: true });
  expect(dataNodes.diff(two, two)).toEqual({ changes: true });
});

test("another number of copies is given to what is there, before a node leaves", async () => {
  await dataNodes.update(inputs(2, 1, 2), inputs(1, 1));
  const [first, second, ...more] = calls();
  expect(first).toBe("entrypoint dfs -setrep -R 1 /");
  expect(second).toMatch(
    /^python .*hdfs_nodes\.py --namenode 127\.0\.0\.1:7000 .*--replication 1 --wanted 127\.0\.0\.1:7001 /,
  );
  expect(more).toEqual([]);
  await dataNodes.update(inputs(1, 1), inputs(1, 1, 2));
  expect(calls()).toHaveLength(3);
});

test("why a node can't be done without is told by its name", async () => {
  program("python", "echo 'hdfs: 127.0.0.1:7002 holds 3 GB, and there is no room' >&2; exit 2");
  await expect(dataNodes.update(inputs(1, 1, 2), inputs(1, 1))).rejects.toThrow(
    "hdfs: datanode-2 holds 3 GB, and there is no room",
  );
});
