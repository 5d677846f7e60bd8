/** Tables that did not come into BigQuery when their run had succeeded, and those that must not as they are. */
// @module-tag go
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import { type Lab, type Site, STOPPED, startSite, until } from "./orchestrator.ts";

let site: Site;
let lab: Lab;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site?.close());
beforeEach(async () => {
  lab = await site.begin();
  await lab.put("points/run=7/part-0.parquet", "rows");
  await lab.put("months/run=7/month=2012-01/part-0.parquet", "rows");
});
afterEach(() => void vi.restoreAllMocks());

const tables: Launch["tables"] = [
  { name: "points", partitions: [] },
  { name: "months", partitions: [{ name: "month", type: "string" }] },
];
const launch = (more: Partial<Launch> = {}) => lab.launch("batch", { tables, ...more });
const record = { run: "7", job: "london-power", state: "succeeded", started: "2026-11-01T00:00:00Z", steps: [] };
const begun = () => lab.google.batches.size;
const insert = /POST \/bigquery/;

/** The run ended well, and no table could be loaded. */
async function ranUnloaded() {
  const stop = new AbortController();
  lab.google.deaf = insert;
  const following = lab.follow(launch(), {}, stop.signal);
  await until(() => lab.google.log.some((line) => insert.test(line)));
  await lab.put("_runs/7.json", record);
  stop.abort(STOPPED);
  await following;
  lab.google.deaf = undefined;
  expect(await lab.read("_loads/7.json")).toBeUndefined();
}

test("are loaded when the run is launched again, with the same settings or others", async () => {
  await ranUnloaded();
  const [status, before] = [await lab.status(), begun()];
  expect(status.state).toBe("succeeded");
  await lab.follow(launch());
  const loads = await lab.read("_loads/7.json");
  expect(loads).toMatchObject({ tables: { points: { rows: 42 }, months: { rows: 42 } } });
  // Of the run nothing else changes.
  expect([await lab.status(), begun()]).toEqual([status, before]);

  await lab.remove("_loads/7.json");
  await lab.follow(launch({ deadlineSeconds: 60 }));
  expect(await lab.read("_loads/7.json")).toEqual({ ...(loads as object), loaded: expect.any(String) });
  // No row is there twice: what was loaded is known by its job.
  expect(lab.google.loads.size).toBe(2);
});

test("are loaded of a run whose status is not there", async () => {
  await lab.put("_runs/7.json", record);
  await lab.follow(launch());
  expect(await lab.read("_loads/7.json")).toMatchObject({ tables: { points: { rows: 42 } } });
  expect(await lab.keys("_clusters/")).toEqual([]);
  expect(begun()).toBe(0);
});

test("are loaded of a run that was recorded after its orchestrator had died, and no step is asked for again", async () => {
  lab.google.deaf = /GET .*\/batches\//;
  void lab.follow(launch());
  await until(() => lab.google.log.some((line) => /GET .*\/batches\//.test(line)));
  await lab.put("_runs/7.json", record);
  await lab.follow(launch());
  expect(await lab.status()).toMatchObject({
    state: "succeeded",
    steps: [{ state: "succeeded" }, { state: "succeeded" }],
  });
  expect(await lab.read("_loads/7.json")).toBeDefined();
  expect(begun()).toBe(0);
});

test.each([
  ["a run that failed", "failed", "failed"],
  ["a run whose orchestrator said that it failed", "succeeded", "failed"],
])("%s is not loaded", async (_, recorded, said) => {
  await ranUnloaded();
  await lab.put("_runs/7.json", { ...record, state: recorded });
  await lab.put("_clusters/7/status.json", { ...(await lab.status()), state: said });
  await lab.follow(launch());
  expect(lab.google.loads.size).toBe(0);
});

test("another run of the same name, after the lake was emptied, is loaded by jobs of its own", async () => {
  await lab.put("_runs/7.json", record);
  await lab.follow(launch());
  await lab.remove("_loads/7.json");
  await lab.put("_runs/7.json", { ...record, started: "2026-11-02T00:00:00Z" });
  await lab.follow(launch());
  expect(lab.google.loads.size).toBe(4);
});

test("a success that is seen at the deadline is loaded all the same", async () => {
  lab.google.script.one = { states: ["RUNNING"] };
  const following = lab.follow(launch({ deadlineSeconds: 1 }));
  await until(() => begun() > 0);
  await lab.put("_runs/7.json", record);
  await following;
  expect((await lab.status()).state).toBe("succeeded");
  expect(await lab.read("_loads/7.json")).toMatchObject({ tables: { points: { rows: 42 } } });
});

test("loading has a limit of its own", async () => {
  const log = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  lab.google.deaf = insert;
  await lab.follow(launch(), { loadMs: 1000 });
  expect((await lab.status()).state).toBe("succeeded");
  expect(log.mock.calls.join()).toMatch(/its tables are not in BigQuery: it took longer than 1 s/);
});

test("a table that has expired is made again", async () => {
  await lab.follow(launch());
  for (const { body } of lab.google.loads.values())
    expect(body.configuration.load).toMatchObject({ createDisposition: "CREATE_IF_NEEDED" });
  expect(lab.google.loads.size).toBe(2);
});

test("rows without a value of a partition are not loaded with the folder's name as their text", async () => {
  const log = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await lab.put("months/run=7/month=__HIVE_DEFAULT_PARTITION__/part-0.parquet", "rows");
  await lab.follow(launch());
  expect((await lab.status()).state).toBe("succeeded");
  expect(await lab.read("_loads/7.json")).toBeUndefined();
  expect(lab.google.log.filter((line) => insert.test(line))).toEqual([]);
  expect(log.mock.calls.join()).toMatch(
    /"WARNING".*table months has rows without a value of a partition column.*gs:\/\/lake-\d+\/months\/run=7\/month=__HIVE_DEFAULT_PARTITION__\/part-0\.parquet/,
  );
});
