/** A run's description, as both sides have it: core/run-spec.ts and assets/driver/run_spec.py. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { RunSpec } from "../../core/run-spec.ts";

const folder = mkdtempSync(join(tmpdir(), "oneoff-run-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

const good: RunSpec = {
  run: "1",
  job: "tiny",
  lake: "/lake",
  stage: "webhdfs://namenode:9870/runs/1",
  scratch: "/lake/_scratch/1",
  work: "/driver",
  deadlineSeconds: 60,
  master: "local[1]",
  masterPage: "http://master:8080",
  steps: [
    {
      name: "a",
      command: ["spark-submit", "a.py"],
      pythonPath: ["/a"],
      requirements: "/r.txt",
      timeLimitSeconds: 9,
      endless: false,
      leaves: ["t"],
    },
  ],
  tables: [
    {
      name: "t",
      columns: [{ name: "x", type: "decimal(18,2)", measured: false }],
      partitions: [{ column: "x", values: ["a"], first: "1", last: "2", digits: 2 }],
      mayBeEmpty: false,
    },
  ],
  origin: "{}",
  secretsFile: "/run/secrets/run",
  secretsCommand: null,
  exactRequirements: true,
};

/** Each value of the description changed in turn to others, left out, and with something more beside it. */
function* changesOf(value: unknown): Generator<unknown> {
  yield* [null, "text", 7, 0, -1, 1.5, true, [], ["text"], [7], {}];
  if (Array.isArray(value)) for (const change of changesOf(value[0])) yield [change];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  yield { ...value, more: 1 };
  for (const [key, old] of Object.entries(value)) {
    yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== key));
    for (const change of changesOf(old)) yield { ...value, [key]: change };
  }
}

/** What Python says of each: nothing where it takes it. */
function readByPython(specs: readonly unknown[]): readonly string[] {
  const file = join(folder, "specs.json");
  writeFileSync(file, JSON.stringify(specs));
  const program = `
import json, sys
from pathlib import Path
sys.path[:0] = ["assets/driver", "assets/steps", "assets/jobs"]
import run_spec
for spec in json.loads(Path(sys.argv[1]).read_text()):
    file = Path(sys.argv[1]).with_name("spec.json")
    file.write_text(json.dumps(spec))
    try:
        run_spec.read(file)
        print()
    except run_spec.JsonError as problem:
        print(problem)
`;
  const printed = execFileSync(".oneoff/venv/bin/python", ["-c", program, file], { encoding: "utf8" });
  return printed.split("\n").slice(0, -1);
}

test("both sides take and refuse the same descriptions", () => {
  const specs = [good, ...changesOf(good)];
  const told = readByPython(specs);
  expect(told).toHaveLength(specs.length);
  const taken = specs.map((spec) => RunSpec.safeParse(spec).success);
  expect(taken.filter(Boolean).length).toBeGreaterThan(20);
  expect(taken.filter((is) => !is).length).toBeGreaterThan(150);
  const different = specs.filter((_, at) => taken[at] !== (told[at] === ""));
  expect(different).toEqual([]);
});

test("the driver says what is wrong, and where", () => {
  const [step] = good.steps;
  expect(
    readByPython([
      ...[[], { ...good, deadlineSeconds: "60" }, { ...good, deadlineSeconds: 0 }, { ...good, more: 1 }],
      ...[
        { ...good, steps: [step, { ...step, command: ["a", 1] }] },
        { ...good, work: undefined },
      ],
      ...[
        { ...good, exactRequirements: 1 },
        { ...good, tables: { t: ["x"] } },
      ],
    ]),
  ).toEqual([
    "spec.json is []: expected an object",
    'spec.json: deadlineSeconds is "60": expected a whole number above zero',
    "spec.json: deadlineSeconds is 0: expected a whole number above zero",
    "spec.json has an unknown more",
    "spec.json: steps[1]: command[1] is 1: expected text",
    "spec.json has no work",
    "spec.json: exactRequirements is 1: expected true or false",
    'spec.json: tables is {"t": ["x"]}: expected a list',
  ]);
});
