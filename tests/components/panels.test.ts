/** Before a lake is made, the panels of its job are looked at as the lake's engine will query them. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import * as now from "../../assets/dashboard/panels/now.ts";
import { xo } from "../../assets/jobs/xo/index.ts";
import { S3Lake } from "../../components/aws/index.ts";
import { SHOWN_FILE } from "../../components/common/panels.ts";
import { SwarmDashboard } from "../../components/docker/index.ts";
import { GcsLake } from "../../components/gcp/index.ts";
import { LocalLake } from "../../components/local/index.ts";
import type { Job } from "../../core/job.ts";
import type { Panel } from "../../core/panel.ts";
import type { Properties } from "../engine/fake-provider.ts";
import { fakeAws } from "../stacks/fake-aws.ts";
import { fakeGcp } from "../stacks/fake-gcp.ts";
import { type Registered, record, settle } from "./mocks.ts";

process.env.GOOGLE_CLOUD_PROJECT = "my-project";
process.env.GOOGLE_REGION = "europe-west1";

let resources: Registered[];
beforeAll(() => {
  const outputs = (type: string, name: string, inputs: Properties) => ({
    ...fakeGcp.outputs?.(type, name, inputs),
    ...fakeAws.outputs?.(type, name, inputs),
  });
  resources = record({ outputs }).resources;
});
afterEach(() => {
  resources.length = 0;
  vi.restoreAllMocks();
});

const makers: Readonly<Record<string, (name: string, job: Job) => unknown>> = {
  LocalLake: (name, job) => new LocalLake(name, { job }),
  SwarmDashboard: (name, job) => new SwarmDashboard(name, { job, lake: { path: "/lake" }, image: "dashboard" }),
  S3Lake: (name, job) => new S3Lake(name, { job }),
  GcsLake: (name, job) => new GcsLake(name, { job }),
};
const withPanels = (...changes: readonly object[]): Job => {
  const job = xo({ rows: 100 });
  const chart = { mark: "bar", encoding: { x: { field: "hidden", type: "quantitative" } } };
  const sql = "SELECT hidden FROM {models}";
  const panels = changes.map((change, at) => ({ name: `p${at}`, title: "P", shows: "P.", sql, chart, ...change }));
  return { ...job, panels: panels as readonly Panel[] };
};
const columns = "they have hidden, seed, accuracy, accuracy_se, seconds";

test.each(Object.keys(makers))("%s refuses what no engine can show, and makes nothing", async (name) => {
  const make = makers[name] as (typeof makers)[string];
  const one = withPanels({}, { sql: "SELECT nope FROM {models}" });
  await expect(settle(() => make("wrong", one))).rejects.toThrow(
    `job "xo", panel "p1" names column nope, which its tables don't have: ${columns}`,
  );
  const two = withPanels({ chart: {} }, { sql: "SELECT nope FROM {models}" });
  await expect(settle(() => make("wronger", two))).rejects.toThrow(
    'job "xo", panel "p0" has a chart that draws nothing: give it a mark, such as { mark: "bar" }, or a layer; it is not the only one: "npx --no oneoff check" lists 2',
  );
  expect(resources.filter(({ custom }) => custom)).toEqual([]);
});

test.each([
  ["S3Lake", "SELECT hidden, seed / 2 AS half FROM {models}", "Athena truncates integers"],
  ["GcsLake", "SELECT hidden FROM {models} ORDER BY hidden", "BigQuery puts nulls elsewhere"],
])(
  "what one engine can't show is refused by its %s alone, and else a warning of the preview",
  async (name, sql, told) => {
    const job = withPanels({ sql });
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    const isDryRun = vi.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(true);
    for (const [other, make] of Object.entries(makers)) {
      warn.mockClear();
      const made = settle(() => make(`of-${name}-${other}`.toLowerCase(), job));
      if (other === name) await expect(made).rejects.toThrow(told);
      else await made;
      expect(
        warn.mock.calls.map(([message]) => message),
        other,
      ).toEqual(other === name ? [] : [expect.stringContaining(told)]);
    }
    isDryRun.mockReturnValue(false);
    warn.mockClear();
    await settle(() => makers.LocalLake?.(`update-${name}`.toLowerCase(), job));
    expect(warn).not.toHaveBeenCalled();
  },
);

test("the package's own jobs are not looked at again: its tests do", async () => {
  const job = xo({ rows: 100 });
  Object.assign(job, { panels: withPanels({ sql: "SELECT nope FROM {models}" }).panels });
  await settle(() => makers.LocalLake?.("own", job));
  await expect(settle(() => makers.LocalLake?.("changed", { ...job }))).rejects.toThrow("names column nope");
});

test("where a file is named, what would be looked at is written there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "oneoff-shown-"));
  const file = join(folder, "jobs");
  vi.stubEnv(SHOWN_FILE, file);
  try {
    const job = withPanels({ sql: "SELECT nope FROM {models}" });
    await settle(() => [makers.LocalLake?.("told", job), makers.GcsLake?.("told", job)]);
    const { name, tables, panels } = job;
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      ["DuckDB", "BigQuery"].map((engine) => ({ job: JSON.parse(JSON.stringify({ name, tables, panels })), engine })),
    );
  } finally {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});

test("where DuckDB can't be loaded a lake is made all the same, and says that nobody has looked", async () => {
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  const worker = vi.spyOn(now, "lookNow").mockImplementation(() => {
    throw new Error("Cannot find module '@duckdb/node-bindings-linux-riscv64'");
  });
  await settle(() => makers.LocalLake?.("blind", withPanels({ sql: "SELECT nope FROM {models}" })));
  expect(worker).toHaveBeenCalledOnce();
  expect(warn.mock.calls.map(([message]) => message)).toEqual([
    "job \"xo\": its panels can't be looked at before the run: Cannot find module '@duckdb/node-bindings-linux-riscv64'",
  ]);
});
