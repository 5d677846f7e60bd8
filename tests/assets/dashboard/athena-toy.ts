import { afterEach, beforeEach, vi } from "vitest";
import type { QueryResult } from "../../../assets/dashboard/engine.ts";
import { AthenaEngine } from "../../../assets/dashboard/engines/athena/engine.ts";
import { FakeAthena, type Plan } from "./fake-athena.ts";
import { toy } from "./toy.ts";

/** Athena and the engine that queries it, new for each test of the file that imports this. */
export let fake: FakeAthena;
export let engine: AthenaEngine;

export const PLACE = { region: "us-west-2", lake: "s3://lake", database: "db", workgroup: "wg", dailyScanBytes: 1e12 };

/** Puts another engine in place. */
export function restart(change: object = {}): void {
  engine = new AthenaEngine({ ...PLACE, job: toy, ...change });
}

beforeEach(async () => {
  fake = await FakeAthena.start();
  Object.assign(process.env, fake.env);
  restart();
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await engine.close();
  fake.close();
});

const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

/** Writes a run's record, in place of an older one. */
export const record = (run: string, rest: object = {}): void =>
  fake.put(
    `lake/_runs/${run}.json`,
    JSON.stringify({ run, job: "toy", state: "running", started: ago(600), steps: [], ...rest }),
  );

/** Of a run that ended so many minutes ago. */
export const over = (minutes: number) => ({ state: "succeeded", ended: ago(minutes) });

/** Adds a file to the lake. */
export const part = (path: string, modified = new Date()): void => fake.put(`lake/${path}`, "", modified);

/** A query that counts, and what becomes of it. */
export const SQL = "SELECT count(*) AS n FROM {readings}";
export const ONE: Plan = { columns: { n: "bigint" }, rows: [["1"]], scanned: 100 };

export const values = ({ columns }: QueryResult) =>
  Object.fromEntries(columns.map((column) => [column.name, column.values]));

/** What queries were begun with. */
export const started = () => fake.called("StartQueryExecution").map(({ input }) => input);
