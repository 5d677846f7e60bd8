import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LakeIndex } from "../../../assets/dashboard/lake/lake-index.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";

/** Times of files by their keys, and what was asked of the lake that has them. */
let files: Map<string, number>;
let asked: string[];
/** What reading fails with. */
let broken: Error | undefined;

beforeEach(() => {
  files = new Map();
  asked = [];
  broken = undefined;
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const RECORD = { run: "r1", job: "toy", state: "running", started: "2026-03-01T10:00:00Z", steps: [] };
const PART = "readings/run=r1/part-0.parquet";

const store = (isFar: boolean): LakeStore => ({
  address: isFar ? "s3://lake" : "/lake",
  isFar,
  async keys(prefix) {
    asked.push(`keys ${prefix}`);
    return [...files.keys()].filter((key) => key.startsWith(prefix)).sort();
  },
  async list(prefix) {
    asked.push(`list ${prefix}`);
    const found = [...files].filter(([key]) => key.startsWith(prefix)).sort();
    return found.map(([key, modified]) => ({ key, etag: `${modified}`, modified }));
  },
  async bytes(key) {
    asked.push(`bytes ${key}`);
    if (broken) throw broken;
    return Buffer.from(JSON.stringify(RECORD));
  },
  piece: async () => undefined,
  content: async () => Readable.from([]),
  create: async () => false,
  replace: async () => false,
  folders: async () => [],
  remove: async () => {},
  close: () => void asked.push("close"),
});

/** What was asked since the last time. */
const since = () => asked.splice(0);

test("a folder is asked anew each time, for times only when its files are others", async () => {
  const index = new LakeIndex(store(false));
  const empty = await index.version("readings", "r1");
  expect(since()).toEqual(["list readings/run=r1/"]);
  expect(await index.version("readings", "r1")).toEqual(empty);
  expect(since()).toEqual(["keys readings/run=r1/"]);
  files.set("readings/run=r1/_temporary/part-0.parquet", 1);
  expect(await index.version("readings", "r1")).toEqual(empty);
  expect(since()).toEqual(["keys readings/run=r1/"]);
  files.set(PART, Date.UTC(2026, 2, 1));
  const one = await index.version("readings", "r1");
  expect(one.updated).toBe("2026-03-01T00:00:00.000Z");
  expect(since()).toEqual(["keys readings/run=r1/", "list readings/run=r1/"]);
  expect(await Promise.all([index.version("readings", "r1"), index.version("readings", "r1")])).toEqual([one, one]);
  expect(since()).toEqual(["keys readings/run=r1/", "keys readings/run=r1/"]);
});

test("a bucket is asked once by those who ask within a second, and for its listing alone", async () => {
  files.set("_runs/r1.json", 1).set(PART, 1);
  const index = new LakeIndex(store(true));
  const look = () => Promise.all([index.runs(), index.version("readings", "r1"), index.version("readings", "r1")]);
  const [[record], version] = await look();
  expect([record?.run, version.updated]).toEqual(["r1", "1970-01-01T00:00:00.001Z"]);
  expect(since()).toEqual(["list _runs/", "bytes _runs/r1.json", "list readings/run=r1/"]);
  vi.advanceTimersByTime(999);
  await look();
  expect(since()).toEqual([]);
  vi.advanceTimersByTime(1);
  await look();
  expect(since().sort()).toEqual(["list _runs/", "list readings/run=r1/"]);
  index.close();
  expect(since()).toEqual(["close"]);
});

test("a record that can't be read is left out of a folder's runs, and fails a bucket's", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  files.set("_runs/r1.json", 1);
  broken = new Error("permission denied");
  const folder = new LakeIndex(store(false));
  expect([await folder.runs(), await folder.runs()]).toEqual([[], []]);
  expect(log.mock.calls.map(String).join("")).toMatch(
    /^\S* ?_runs\/r1\.json is not the record of a run; it is left out/,
  );
  expect(since()).toEqual(["list _runs/", "bytes _runs/r1.json", "list _runs/"]);
  const bucket = new LakeIndex(store(true));
  await expect(bucket.runs()).rejects.toThrow("permission denied");
  broken = undefined;
  expect(await bucket.runs()).toHaveLength(1);
});
