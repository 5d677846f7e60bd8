// @module-tag go
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parseConfig } from "../../../assets/dashboard/config.ts";
import { type Dashboard, serve } from "../../../assets/dashboard/server.ts";
import { bundle } from "../../../components/common/bundle.ts";
import { fake, lake, loaded, ONE, PLACE, part, record } from "./bigquery-toy.ts";
import { get } from "./http.ts";
import { toy } from "./toy.ts";

let dashboard: Dashboard;

const config = () => ({ job: toy, engine: { kind: "bigquery", ...PLACE, lake: lake() }, port: 0, token: "t" });
const at = (path: string) => `${dashboard.url}${path}`;
const COUNT = "api/panels/count?run=r1";

beforeEach(async () => {
  await loaded("r1");
  fake.plan = () => ({ columns: { readings: "INTEGER" }, rows: [["3"]], scanned: 4321 });
  dashboard = await serve(config());
});

afterEach(() => dashboard.close());

test("a panel's rows come with what was scanned for them, and cost nothing a second time", async () => {
  const first = await get(at(COUNT));
  expect(first.json).toMatchObject({
    columns: [{ name: "readings", type: "integer", values: [3] }],
    rows: 1,
    statistics: { bytesScanned: 4321, bytesExpected: 4321 },
  });
  expect((await get(at(COUNT), { "if-none-match": first.headers.etag as string })).status).toBe(304);
  expect((await get(at(COUNT))).json).toEqual(first.json);
  expect(fake.called("query")).toHaveLength(1);
});

test("a run that ends and is loaded is the same answer", async () => {
  await record("r2");
  await part("readings/run=r2/part-1.parquet");
  const path = COUNT.replace("r1", "r2");
  const before = await get(at(path));
  await loaded("r2");
  expect((await get(at(path), { "if-none-match": before.headers.etag as string })).status).toBe(304);
});

test("failures of query and lake are sentences, and are tried again", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  fake.plan = () => ({ error: { code: 400, reason: "invalidQuery", message: "Unrecognized name: x at [1:8]" } });
  expect((await get(at(COUNT))).json.error).toBe('The query of panel "count" failed: Unrecognized name: x at [1:8]');
  fake.plan = () => ONE;
  expect((await get(at(COUNT))).json.rows).toBe(1);
  expect(log).toHaveBeenCalledTimes(1);
});

test("its bundle is a service that tells its journal, listens where it is told, and answers through a tunnel", async () => {
  const folder = bundle("dashboard");
  const child = spawn(process.execPath, [join(folder, "index.mjs")], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: folder,
    env: { ...process.env, ONEOFF_DASHBOARD: JSON.stringify(config()), ONEOFF_DASHBOARD_ADDRESS: "0.0.0.0" },
  });
  try {
    const port = await portOf(child);
    // The tunnel's end on the user's machine has a port of its own.
    const through = (host: string, path: string) => get(`http://127.0.0.2:${port}/${path}`, { host });
    expect((await through("127.0.0.1:54321", "api/runs")).json.runs).toHaveLength(1);
    expect((await through("127.0.0.1:54321", COUNT)).json.columns[0].values).toEqual([3]);
    expect((await through("evil.example:54321", "api/runs")).status).toBe(403);
  } finally {
    child.kill("SIGKILL");
  }
});

async function portOf(child: ChildProcess): Promise<number> {
  let said = "";
  for await (const piece of child.stdout ?? []) {
    said += String(piece);
    const port = /The dashboard is at http:\/\/127\.0\.0\.1:(\d+)\//.exec(said)?.[1];
    if (port) return Number(port);
  }
  throw new Error(`it ended: ${said}`);
}

test("a configuration for BigQuery is taken as it is", () => {
  expect(parseConfig(JSON.stringify(config()), "c.json")).toEqual(config());
});

test.each([
  ["project", "My Project", /^c\.json: engine: project: expected a project's id, such as my-project-1$/],
  ["location", "europe", /^c\.json: engine: location: expected a region or EU or US, such as europe-west1$/],
  ["lake", "s3://bucket", /^c\.json: engine: lake: expected gs:\/\/ and the name of a bucket$/],
  ["lake", "gs://bucket/prefix", /^c\.json: engine: lake: expected gs/],
  ["dataset", "a-b", /^c\.json: engine: dataset: expected letters, digits and underscores$/],
  ["dailyScanBytes", 0, /^c\.json: engine: dailyScanBytes: /],
  [
    "queryLimitBytes",
    1000,
    /^c\.json: engine: queryLimitBytes: expected 10485760 or more: a query is billed for 10 MB/,
  ],
  ["workgroup", "wg", /^c\.json: engine: Unrecognized key: "workgroup"$/],
])("a configuration with a wrong %s (%j) is refused with the place", (key, value, sentence) => {
  const given = { ...config(), engine: { ...config().engine, [key]: value } };
  expect(() => parseConfig(JSON.stringify(given), "c.json")).toThrow(sentence);
});
