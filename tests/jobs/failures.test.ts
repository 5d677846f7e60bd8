/** Job failures: how its settings come into its steps, and which are refused. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { failures } from "../../assets/jobs/failures/index.ts";
import { failuresSettings } from "../../assets/jobs/failures/settings.ts";
import { jobKind } from "../../assets/jobs/registry.ts";
import type { Panel } from "../../core/panel.ts";
import { describeSettings, parseSettings } from "../../core/settings.ts";

const argumentsOf = (job: ReturnType<typeof failures>, name: string) =>
  job.steps.find((step) => step.name === name)?.arguments.join(" ");

const folders = (tables: string) => tables.split(" ").map((table) => `--${table} {${table}}`);
const MADE = folders("logs failures truth");
const RESULTS = folders("roc detection leads services patterns examples curves networks");

test("settings come into the steps", () => {
  const job = failures({ hosts: 6, days: 3, hazard: 0.5, sample: 900, hidden: [8, 4], epochs: 3, seed: 7 });
  expect(argumentsOf(job, "logs")).toBe([...MADE, "--hosts 6 --days 3 --hazard 0.5 --seed 7"].join(" "));
  expect(argumentsOf(job, "train")).toBe(
    [...MADE, ...RESULTS, "--days 3 --hidden 8,4 --epochs 3 --sample 900 --seed 7"].join(" "),
  );
  expect(job.reads).toEqual([]);
});

test("steps are given the modules that they import", () => {
  for (const step of failures().steps) {
    expect(step.pyFiles.map((path) => path.split("/").at(-1))).toEqual([
      ...["oneoff.py", "networks.py", "networks_onnx.py", "failures_data.py", "failures_measure.py"],
      ...["failures_services.py", "failures_twin.py", "failures_windows.py"],
    ]);
    expect(step.requirements).toMatch(/failures\/requirements\.txt$/);
  }
});

test("only what is measured is left out of the digests", () => {
  const { tables } = failures();
  const measured = tables.flatMap(({ name, columns }) =>
    columns.filter((c) => c.measured).map((c) => `${name}.${c.name}`),
  );
  expect(measured).toEqual(["networks.off", "networks.seconds"]);
});

test.each<[string, object, string]>([
  ["too few hosts", { hosts: 4 }, "failures: hosts is 4: expected at least 5 hosts"],
  ["too many hosts", { hosts: 1001 }, "hosts is 1001: expected at most 1000 hosts"],
  ["too few days", { days: 1 }, "days is 1: expected at least 2 days"],
  ["more than a year", { days: 367 }, "expected at most 366 days"],
  ["less than no hazard", { hazard: -0.1 }, "hazard is -0.1: expected a number from 0 to 5"],
  ["more hazard than is drawn well", { hazard: 6 }, "hazard is 6: expected a number from 0 to 5"],
  ["a hazard that is no number", { hazard: "much" }, 'hazard is "much": expected a number from 0 to 5'],
  ["too many layers", { hidden: [1, 1, 1, 1, 1] }, "hidden is [1,1,1,1,1]: expected at most 4 layers"],
  ["no epoch", { epochs: 0 }, "epochs is 0: expected a number above zero"],
])("%s is refused", (_, args, message) => expect(() => failures(args)).toThrow(message));

test("settings of a stack are those of the job", () => {
  expect(describeSettings(failuresSettings).map(({ key, default: value }) => [key, value])).toEqual([
    ["oneoff:hosts", "60"],
    ["oneoff:days", "14"],
    ["oneoff:hazard", "2"],
    ["oneoff:sample", "100000"],
    ["oneoff:hidden", "16"],
    ["oneoff:epochs", "10"],
    ["oneoff:seed", "1"],
  ]);
  const parsed = parseSettings(failuresSettings, { "oneoff:hazard": "0", "oneoff:hidden": "8,4", "oneoff:hosts": "9" });
  expect(jobKind("failures").create({ ...parsed, workers: 3 })).toEqual(
    failures({ hazard: 0, hidden: [8, 4], hosts: 9 }),
  );
});

test("each line of a log before a failure has room", () => {
  const python = readFileSync(new URL("../../assets/jobs/failures/failures_data.py", import.meta.url), "utf8");
  const lines = Number(/^SHOWN = (\d+)/m.exec(python)?.[1]);
  const { chart } = failures().panels.find(({ name }) => name === "example") as Panel;
  expect((chart as { readonly height: number }).height / lines).toBeGreaterThanOrEqual(14); // of type of 11
});
