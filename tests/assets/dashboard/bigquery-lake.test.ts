// @module-tag go
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { engine, over, part, put, record } from "./bigquery-toy.ts";

test("runs come newest first, and what is none of this job is left out", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  expect(await engine.runs()).toEqual([]);
  await record("old", { started: "2026-03-01T09:00:00Z" });
  await record("new", { started: "2026-03-01T12:00:00+01:00" });
  await record("other", { job: "xo" });
  for (const name of ["broken.json", "_new.json", "deep/new.json", "new.json.half"]) await put(`_runs/${name}`, "{");
  const runs = async () => {
    await sleep(1050); // those who ask at the same time share an answer
    return (await engine.runs()).map(({ run, state }) => `${run} ${state}`);
  };
  expect(await runs()).toEqual(["new running", "old running"]);
  await record("new", { started: "2026-03-01T12:00:00+01:00", ...over(1) });
  expect(await runs()).toEqual(["new succeeded", "old running"]);
  const said = log.mock.calls.map(([line]) => String(line).match(/_runs\/(\S+) is not the record of a run/)?.[1]);
  expect(said).toEqual(["broken.json"]);
});

test("a version changes with each file of the run and only then", async () => {
  await record("r1");
  const look = async () => {
    await sleep(1050);
    return (await engine.versions("r1")).readings;
  };
  const empty = await look();
  expect(empty?.updated).toBeUndefined();
  for (const path of ["_SUCCESS", "notes.txt", "_temporary/0/a.parquet"]) await put(`readings/run=r1/${path}`, "");
  await part("readings/run=r10/a.parquet");
  expect(await look()).toEqual(empty);
  const before = Date.now();
  await part("readings/run=r1/a.parquet");
  const one = await look();
  await part("readings/run=r1/m=1/b.parquet");
  const two = await look();
  expect(Date.parse(one?.updated ?? "")).toBeGreaterThanOrEqual(before - 1000);
  expect(Date.parse(two?.updated ?? "")).toBeGreaterThan(Date.parse(one?.updated ?? ""));
  expect(new Set([empty?.version, one?.version, two?.version]).size).toBe(3);
});

test("more files than a listing has are all seen", async () => {
  for (let i = 0; i < 1100; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, j) => part(`readings/run=r1/part-${i + j}.parquet`)));
  }
  expect((await engine.versions("r1")).readings?.version).toMatch(/^1100-/);
});
