import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { engine, fake, over, part, record } from "./athena-toy.ts";

test("runs come newest first, each record is read once, and what is none of this job is left out", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  expect(await engine.runs()).toEqual([]);
  record("old", { started: "2026-03-01T09:00:00Z" });
  record("new", { started: "2026-03-01T12:00:00+01:00" });
  record("other", { job: "xo" });
  fake.put("lake/_runs/broken.json", "{");
  for (const name of ["_new.json", ".new.json", "deep/new.json", "new.json.half"]) fake.put(`lake/_runs/${name}`, "{");
  const runs = async () => {
    await sleep(1050); // those who ask at the same time share an answer
    return (await engine.runs()).map(({ run, state }) => `${run} ${state}`);
  };
  expect(await runs()).toEqual(["new running", "old running"]);
  expect(
    fake
      .called("GetObject")
      .map(({ input }) => input)
      .sort(),
  ).toEqual(["broken", "new", "old", "other"].map((name) => `lake/_runs/${name}.json`));
  record("new", { started: "2026-03-01T12:00:00+01:00", ...over(1) });
  expect(await runs()).toEqual(["new succeeded", "old running"]);
  expect(fake.called("GetObject")).toHaveLength(5);
  const said = log.mock.calls.map(([line]) => String(line).match(/_runs\/(\S+) is not the record of a run/)?.[1]);
  expect(said).toEqual(["broken.json"]);
});

test("a version changes with each file of the run and only then", async () => {
  record("r1");
  await engine.runs();
  const look = async () => {
    await sleep(1050);
    return (await engine.versions("r1")).readings;
  };
  const empty = await look();
  expect(empty?.updated).toBeUndefined();
  for (const name of ["_SUCCESS", "notes.txt", ".a.parquet", "_temporary/0/a.parquet", "m=1/.a.parquet"]) {
    part(`readings/run=r1/${name}`);
  }
  part("readings/run=r10/a.parquet");
  expect(await look()).toEqual(empty);
  part("readings/run=r1/a.parquet", new Date("2026-03-01T10:00:00Z"));
  const one = await look();
  part("readings/run=r1/m=1/b.parquet", new Date("2026-03-01T11:00:00Z"));
  const two = await look();
  expect([one?.updated, two?.updated]).toEqual(["2026-03-01T10:00:00.000Z", "2026-03-01T11:00:00.000Z"]);
  expect(new Set([empty?.version, one?.version, two?.version]).size).toBe(3);
});

test("more files than a listing has are all seen", async () => {
  for (let i = 0; i < 1500; i++) part(`readings/run=r1/part-${i}.parquet`);
  expect((await engine.versions("r1")).readings?.version).toMatch(/^1500-/);
});

test("versions of a run that is over are asked for once, those of one that just ended again", async () => {
  record("over", over(5));
  record("fresh", over(0.5));
  await engine.runs();
  const lists = (run: string) =>
    fake.called("ListObjectsV2").filter(({ input }) => input.includes(`run=${run}/`)).length;
  for (let i = 0; i < 2; i++) {
    // Those who ask at the same time share one listing.
    await Promise.all([0, 1, 2].map(() => Promise.all([engine.versions("over"), engine.versions("fresh")])));
    await sleep(1050);
  }
  expect([lists("over"), lists("fresh")]).toEqual([2, 4]);
});

test("of a step's log a range is asked for, and what is refused is said in a sentence", async () => {
  fake.put("lake/_logs/r1/train.log", "0123456789");
  const piece = await engine.log("r1", "train", { from: 2, length: 3 });
  expect([Buffer.from(piece?.bytes ?? []).toString(), piece?.from, piece?.size]).toEqual(["234", 2, 10]);
  expect(await engine.log("r1", "none", { last: 3 })).toBeUndefined();
  expect(fake.calls.map(({ operation, input }) => `${operation} ${input}`)).toEqual([
    "GetObject lake/_logs/r1/train.log",
    "GetObject lake/_logs/r1/none.log",
  ]);
  fake.refuse("GetObject", { name: "AccessDenied", message: "Access Denied" });
  await expect(engine.log("r1", "train", { last: 3 })).rejects.toThrow(
    "access was denied: the dashboard's role lacks s3:ListBucket or s3:GetObject",
  );
});
