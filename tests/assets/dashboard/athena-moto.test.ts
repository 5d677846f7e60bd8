import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AthenaClient, CreateWorkGroupCommand } from "@aws-sdk/client-athena";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AthenaEngine } from "../../../assets/dashboard/engines/athena/engine.ts";
import { buildBundles } from "../../../engine/bundles.ts";
import { type Moto, startMoto } from "../../moto.ts";
import { EventReader, get } from "./http.ts";
import { toy } from "./toy.ts";

const ENGINE = { region: "us-west-2", lake: "s3://lake", database: "db", workgroup: "wg", dailyScanBytes: 1e12 };

let moto: Moto;
let s3: S3Client;
let folder: string;

beforeAll(async () => {
  moto = await startMoto();
  s3 = new S3Client({});
  folder = await mkdtemp(join(tmpdir(), "oneoff-athena-"));
  await s3.send(
    new CreateBucketCommand({ Bucket: "lake", CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }),
  );
  await new AthenaClient({}).send(new CreateWorkGroupCommand({ Name: "wg" }));
  for (const run of ["r1", "r2"]) await record(run, { state: "succeeded", ended: "2026-03-01T11:00:00Z" });
  await put("readings/run=r1/part-1.parquet", "rows");
});

afterAll(async () => {
  moto.close();
  await rm(folder, { recursive: true, force: true });
});

const put = (key: string, body: string) => s3.send(new PutObjectCommand({ Bucket: "lake", Key: key, Body: body }));
const record = (run: string, rest: object) =>
  put(
    `_runs/${run}.json`,
    JSON.stringify({ run, job: "toy", state: "running", started: "2026-03-01T10:00:00Z", steps: [], ...rest }),
  );

test("runs, versions and rows come from a bucket and Athena", async () => {
  const engine = new AthenaEngine({ ...ENGINE, job: toy });
  expect((await engine.runs()).map(({ run }) => run)).toEqual(["r2", "r1"]);
  const first = await engine.versions("r1");
  expect(first.readings?.version).toMatch(/^1-/);
  expect(Math.abs(Date.parse(first.readings?.updated as string) - Date.now())).toBeLessThan(30_000);
  expect(first.monthly).toEqual({ version: expect.stringMatching(/^0-/) });

  await moto.queueAthena([
    ["id bigint", "at timestamp", "label"],
    ["1", "2012-01-01 00:00:00.000", ""],
    [null, null, null],
  ]);
  const { columns, rows } = await engine.query("SELECT id, at, label FROM {readings}", "r1");
  expect(rows).toBe(2);
  expect(columns).toEqual([
    { name: "id", type: "integer", values: [1, null] },
    { name: "at", type: "timestamp", values: ["2012-01-01T00:00:00.000Z", null] },
    { name: "label", type: "string", values: ["", null] },
  ]);
  await engine.close();
});

test("a run grows object by object, and a record is read again when it is another", async () => {
  const engine = new AthenaEngine({ ...ENGINE, job: toy });
  await record("live", {});
  const look = async () => {
    await sleep(1050);
    const [runs, versions] = await Promise.all([engine.runs(), engine.versions("live")]);
    return [runs.find(({ run }) => run === "live")?.state, versions.readings?.version.split("-")[0]];
  };
  expect(await look()).toEqual(["running", "0"]);
  await put("readings/run=live/part-1.parquet", "rows");
  await put("readings/run=live/_temporary/part-2.parquet", "rows");
  expect(await look()).toEqual(["running", "1"]);
  await record("live", { state: "failed", ended: new Date().toISOString() });
  expect(await look()).toEqual(["failed", "1"]);
  await engine.close();
});

test("what is not there is told as such", async () => {
  const nowhere = new AthenaEngine({ ...ENGINE, lake: "s3://nowhere", workgroup: "none", job: toy });
  await expect(nowhere.runs()).rejects.toThrow("the lake's bucket is not there; pulumi up makes it");
  await nowhere.close();
  const engine = new AthenaEngine({ ...ENGINE, workgroup: "none", job: toy });
  await expect(engine.query("SELECT 1 AS n FROM {readings}", "r1")).rejects.toThrow('there is no workgroup "none"');
  await engine.close();
});

/** Starts the bundle as the instance's service does: alone in a folder, with nothing installed. */
async function start(): Promise<{ child: ChildProcess; said: () => string; complained: () => string }> {
  await buildBundles(join(folder, "bundles"));
  await cp(join(folder, "bundles/dashboard"), join(folder, "alone"), { recursive: true });
  const config = { job: toy, engine: { kind: "athena", ...ENGINE }, port: 0, token: "t" };
  await writeFile(join(folder, "alone/config.json"), JSON.stringify(config));
  const child = spawn(process.execPath, ["index.mjs", "config.json"], {
    cwd: join(folder, "alone"),
    env: { PATH: process.env.PATH, ...moto.env },
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    out += piece;
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    err += piece;
  });
  return { child, said: () => out, complained: () => err };
}

test("the bundle runs alone, logs to standard output and ends on SIGTERM", { timeout: 60_000 }, async () => {
  const { child, said, complained } = await start();
  try {
    expect((await readdir(join(folder, "alone"))).sort()).toEqual(["config.json", "index.mjs", "page"]);
    await expect.poll(said, { timeout: 20_000 }).toMatch(/The dashboard is at http:\/\/127\.0\.0\.1:\d+\/\n/);
    const url = /http:\S+/.exec(said())?.[0] as string;
    expect((await get(url)).text).toContain('<script type="module" src="page.js">');
    expect((await get(`${url}api/runs`)).json.runs.map(({ run }: { run: string }) => run)).toContain("r1");
    await moto.queueAthena([["readings bigint"], ["3"]]);
    expect((await get(`${url}api/panels/count?run=r1`)).json).toMatchObject({
      columns: [{ name: "readings", type: "integer", values: [3] }],
      statistics: { bytesScanned: 0 },
    });
    const stream = await EventReader.open(`${url}api/events?run=r1`);
    await stream.next("tables");
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
    expect(said()).toMatch(/Ending on SIGTERM\n$/);
    expect(complained()).toBe("");
  } finally {
    child.kill("SIGKILL");
  }
});
