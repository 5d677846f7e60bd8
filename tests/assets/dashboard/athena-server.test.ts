import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parseConfig } from "../../../assets/dashboard/config.ts";
import { type Dashboard, serve } from "../../../assets/dashboard/server.ts";
import { fake, ONE, over, PLACE, part, record } from "./athena-toy.ts";
import { EventReader, get } from "./http.ts";
import { toy } from "./toy.ts";

let dashboard: Dashboard;

const engine = { kind: "athena", ...PLACE };
const at = (path: string) => `${dashboard.url}${path}`;
const COUNT = "api/panels/count?run=r1";

beforeEach(async () => {
  record("r1", over(60));
  part("readings/run=r1/part-1.parquet");
  fake.plan = () => ({ columns: { readings: "bigint" }, rows: [["3"]], scanned: 4321 });
  dashboard = await serve({ job: toy, engine, port: 0, token: "t" });
});

afterEach(() => dashboard.close());

/** A request that can be given up. */
function ask(path: string, headers: Record<string, string> = {}) {
  const sent = request(at(path), { headers, agent: false }, (response) => response.resume()).end();
  sent.on("error", () => undefined);
  return { leave: () => sent.destroy() };
}

const slow = (milliseconds: number) => {
  fake.plan = () => ({ columns: { readings: "bigint" }, rows: [["3"]], milliseconds });
};

test("a panel's rows come with what was scanned for them, and cost nothing a second time", async () => {
  const first = await get(at(COUNT));
  expect(first.json).toMatchObject({
    columns: [{ name: "readings", type: "integer", values: [3] }],
    rows: 1,
    statistics: { bytesScanned: 4321 },
  });
  const etag = first.headers.etag as string;
  expect((await get(at(COUNT), { "if-none-match": etag })).status).toBe(304);
  expect((await get(at(COUNT))).json).toEqual(first.json);
  expect(fake.called("StartQueryExecution")).toHaveLength(1);
});

test("those who ask at the same time share one query, however they want it packed", async () => {
  slow(300);
  const packed = ["identity", "identity", "gzip", "br"].map((encoding) => ({ "accept-encoding": encoding }));
  const answers = await Promise.all(packed.map((headers) => get(at(COUNT), headers)));
  expect(answers.map(({ headers }) => headers["content-encoding"])).toEqual([undefined, undefined, "gzip", "br"]);
  expect(answers.map(({ json }) => json.rows)).toEqual([1, 1, 1, 1]);
  expect(fake.called("StartQueryExecution")).toHaveLength(1);
});

test("a query is stopped when the last of those who wait has left, and not before", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  slow(60_000);
  const both = [ask(COUNT), ask(COUNT, { "accept-encoding": "br" })];
  await expect.poll(() => fake.running).toBe(1);
  await sleep(150); // until the second waits too
  both[0]?.leave();
  await sleep(300);
  expect(fake.running).toBe(1);
  both[1]?.leave();
  await expect.poll(() => fake.running).toBe(0);
  expect(fake.called("StopQueryExecution")).toHaveLength(1);
  expect(log).not.toHaveBeenCalled();
  // Who asks after that gets a query of its own.
  slow(0);
  expect((await get(at(COUNT))).json.rows).toBe(1);
  expect(fake.called("StartQueryExecution")).toHaveLength(2);
});

test("a panel has one running query for each run: a newer one waits for the older", async () => {
  record("r1");
  record("r2");
  slow(1800);
  const older = get(at(COUNT));
  await expect.poll(() => fake.running).toBe(1);
  part("readings/run=r1/part-2.parquet");
  await sleep(1050);
  const newer = get(at(COUNT));
  const other = get(at(COUNT.replace("r1", "r2")));
  await expect.poll(() => fake.running).toBe(2); // of two runs
  const [old, fresh] = await Promise.all([older, newer, other]);
  expect(fresh.json.tables.readings.version).not.toBe(old.json.tables.readings.version);
  expect([...fake.most].map(([sql, most]) => [sql.match(/run = '(\w+)'/)?.[1], most])).toEqual([
    ["r1", 1],
    ["r2", 1],
  ]);
});

test("an older query that nobody waits for gives way to the newer one", async () => {
  record("r1");
  slow(60_000);
  const older = ask(COUNT);
  await expect.poll(() => fake.running).toBe(1);
  part("readings/run=r1/part-2.parquet");
  await sleep(1050);
  const newer = get(at(COUNT));
  await sleep(300);
  expect(fake.called("StartQueryExecution")).toHaveLength(1); // it waits
  slow(0);
  older.leave();
  expect((await newer).json.rows).toBe(1);
  expect(fake.called("StartQueryExecution")).toHaveLength(2);
  expect(fake.called("StopQueryExecution")).toHaveLength(1);
});

test("who leaves while waiting for another's query never begins one", async () => {
  record("r1");
  slow(1800);
  const older = get(at(COUNT));
  await expect.poll(() => fake.running).toBe(1);
  part("readings/run=r1/part-2.parquet");
  await sleep(1050);
  const newer = ask(COUNT);
  await sleep(200);
  newer.leave();
  await older;
  await sleep(300);
  expect(fake.called("StartQueryExecution")).toHaveLength(1);
});

test("failures of query and lake are sentences, and are tried again", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  fake.plan = () => ({ state: "CANCELLED", reason: "Bytes scanned limit was exceeded" });
  expect((await get(at(COUNT))).json.error).toMatch(
    /^The query of panel "count" failed: it would scan more bytes than the workgroup "wg" allows/,
  );
  fake.plan = () => ({ ...ONE });
  expect((await get(at(COUNT))).json.rows).toBe(1);
  await sleep(1050);
  fake.refuse("ListObjectsV2", { name: "AccessDenied", message: "Access Denied" });
  const refused = await get(at("api/runs"));
  expect(refused.status).toBe(500);
  expect(refused.json.error).toBe(
    "The lake could not be read: access was denied: the dashboard's role lacks s3:ListBucket or s3:GetObject.",
  );
  expect(log).toHaveBeenCalledTimes(2);
});

test("a lake that can't be looked at is told to the log once", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  fake.refuse("ListObjectsV2", { name: "AccessDenied", message: "Access Denied", times: 2 });
  const streams = [];
  for (let looks = 1; looks <= 3; looks++) {
    streams.push(await EventReader.open(at("api/events"))); // each has it look at once
    await expect.poll(() => fake.called("ListObjectsV2").length).toBeGreaterThanOrEqual(looks);
    await sleep(50);
  }
  await streams[0]?.next("runs");
  expect(log.mock.calls.filter(([line]) => String(line).includes("The lake could not be looked at"))).toHaveLength(1);
  for (const stream of streams) stream.close();
});

test("when the server ends, so do its queries", async () => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  slow(60_000);
  ask(COUNT);
  await expect.poll(() => fake.running).toBe(1);
  await dashboard.close();
  expect(fake.running).toBe(0);
});

const config = { job: toy, engine, port: 0, token: "t" };

test("a configuration for Athena is taken as it is", () => {
  expect(parseConfig(JSON.stringify(config), "c.json")).toEqual(config);
});

test.each([
  ["region", "", /^c\.json: engine: region: expected a region's name, such as us-west-2$/],
  ["lake", "bucket", /^c\.json: engine: lake: expected s3:\/\/ and the name of a bucket$/],
  ["lake", "s3://bucket/prefix", /^c\.json: engine: lake: expected s3/],
  ["database", 'a"b', /^c\.json: engine: database: expected/],
  ["workgroup", "a b", /^c\.json: engine: workgroup: expected/],
  ["dailyScanBytes", 0, /^c\.json: engine: dailyScanBytes: /],
  ["more", 1, /^c\.json: engine: Unrecognized key: "more"$/],
])("a configuration with a wrong %s (%j) is refused with the place", (key, value, sentence) => {
  const given = { ...config, engine: { ...engine, [key]: value } };
  expect(() => parseConfig(JSON.stringify(given), "c.json")).toThrow(sentence);
});
