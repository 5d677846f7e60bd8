/** Job nids: how its settings come into its steps, and which are refused. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nids } from "../../assets/jobs/nids/index.ts";
import { scoreStep, scores } from "../../assets/jobs/nids/score.ts";
import { nidsSettings } from "../../assets/jobs/nids/settings.ts";
import { jobKind } from "../../assets/jobs/registry.ts";
import { job } from "../../core/job.ts";
import { describeSettings, parseSettings } from "../../core/settings.ts";

const argumentsOf = (job: ReturnType<typeof nids>, name: string) =>
  job.steps.find((step) => step.name === name)?.arguments.join(" ");

const RESULTS = "roc detection families confusion curves networks".split(" ");

test("without an input flows are made up", () => {
  const job = nids({ flows: 6000, overlap: 0.5, seed: 7, hidden: [8], narrow: [4, 2, 4], epochs: 3, sample: 900 });
  expect(argumentsOf(job, "flows")).toBe("--flows {flows} --truth {truth} --number 6000 --overlap 0.5 --seed 7");
  const results = RESULTS.map((table) => `--${table} {${table}}`).join(" ");
  expect(argumentsOf(job, "train")).toBe(
    `--flows {flows} --truth {truth} ${results} --hidden 8 --narrow 4,2,4 --epochs 3 --sample 900 --seed 7`,
  );
  expect(job.steps.map(({ name }) => name)).toEqual(["flows", "train"]);
  expect(job.reads).toEqual([]);
});

test.each([
  ["/data/unsw", ["/data/unsw"]],
  ["s3://bucket/unsw", ["s3://bucket/unsw"]],
  ["gs://bucket/KDDTrain+.txt", []], // may be public
  ["webhdfs://namenode:9870/unsw", []],
])("an input at %s is taken over, and the job says that it reads %j", (input, reads) => {
  const job = nids({ input });
  expect(argumentsOf(job, "flows")).toBe(`--flows {flows} --truth {truth} --input ${input}`);
  expect(job.reads).toEqual(reads);
});

test("steps are given the modules that they import", () => {
  for (const step of nids().steps) {
    expect(step.pyFiles.map((path) => path.split("/").at(-1))).toEqual([
      "oneoff.py",
      ...["networks.py", "networks_onnx.py"],
      ...["nids_arrays.py", "nids_data.py", "nids_families.py", "nids_gru.py", "nids_gru_onnx.py", "nids_input.py"],
      ...["nids_layouts.py", "nids_parts.py", "nids_sequences.py", "nids_train.py", "nids_twin.py"],
    ]);
    expect(step.requirements).toMatch(/nids\/requirements\.txt$/);
  }
});

test("only the truth may be lacking, and only what is measured is left out of the digests", () => {
  const { tables } = nids();
  expect(tables.filter(({ mayBeEmpty }) => mayBeEmpty).map(({ name }) => name)).toEqual(["truth"]);
  expect(
    tables.flatMap(({ name, columns }) => columns.filter((c) => c.measured).map((c) => `${name}.${c.name}`)),
  ).toEqual(["networks.off", "networks.seconds"]);
});

test.each(["cpu", "gpu"] as const)(
  "a recurrent network learns with PyTorch for a %s in a step of its own",
  (recurrent) => {
    const job = nids({ recurrent, hidden: [8, 4], epochs: 3, seed: 7 });
    expect(job.steps.map(({ name }) => name)).toEqual(["flows", "train", "recurrent"]);
    const results = RESULTS.map((table) => `--${table} {${table}}`).join(" ");
    expect(argumentsOf(job, "recurrent")).toBe(
      `--flows {flows} --truth {truth} ${results} --kept {scratch}/recurrent --hidden 8,4 --epochs 3 --sample 100000 --seed 7`,
    );
    const [flows, train, last] = job.steps.map(({ requirements }) => readFileSync(requirements as string, "utf8"));
    expect(flows).toBe(train);
    expect(train).not.toMatch(/^torch|^nvidia/m);
    // Of NVIDIA's gigabytes there is nothing where PyTorch is for CPUs, nor PyTorch itself on Linux.
    const cpu = recurrent === "cpu";
    expect(/^torch==[\d.]+( ; .*)? \\$/m.exec(last as string)?.[1]).toBe(
      cpu ? " ; sys_platform != 'linux'" : undefined,
    );
    expect(/^(nvidia|cuda|triton)-?/m.test(last as string)).toBe(!cpu);
  },
);

test("numbers of a network that learns in PyTorch are left out of the digests, and no other", () => {
  const measured = (job: ReturnType<typeof nids>) =>
    job.tables.flatMap(({ name, columns }) => columns.filter((c) => c.measured).map((c) => `${name}.${c.name}`));
  expect(measured(nids({ recurrent: "cpu" }))).toEqual([
    ...["roc.detected", "detection.auc", "detection.detected", "detection.detected_se", "families.detected"],
    ...["curves.training_loss", "curves.held_out_loss", "networks.onnx", "networks.sha256", "networks.golden"],
    ...["networks.threshold", "networks.off", "networks.seconds"],
  ]);
});

test("declared numbers of a flow are those that the steps know", () => {
  const python = readFileSync(new URL("../../assets/jobs/nids/nids_layouts.py", import.meta.url), "utf8");
  const tuple = (name: string) => new RegExp(`^${name} = \\(\\n([\\s\\S]*?)^\\)`, "m").exec(python)?.[1] ?? "";
  const names = (text: string) => [...text.matchAll(/"(\w+)"/g)].map(([, name]) => name);
  const known = [...names(tuple("UNSW_NUMBERS")), ...names(tuple("KDD_NUMBERS")).map((name) => `kdd_${name}`)];
  const columns = nids().tables.find(({ name }) => name === "flows")?.columns ?? [];
  expect(columns.filter(({ type }) => type === "double").map(({ name }) => name)).toEqual(known);
  expect(known).toHaveLength(36 + 35);
});

test.each<[string, object, string]>([
  ["a relative path", { input: "unsw" }, 'input is "unsw": expected an absolute path, or an address'],
  ["another scheme", { input: "https://host/unsw.csv" }, "that begins with s3://, gs:// or webhdfs://"],
  [
    "an archive",
    { input: "/data/NSL-KDD.zip" },
    "expected the published files or a folder of them, not an archive: unpack it with \"unzip 'NSL-KDD.zip' -d FOLDER\"",
  ],
  ["too few flows", { flows: 4999 }, "nids: flows is 4999: expected at least 5000 flows"],
  ["too many flows", { flows: 1e9 }, "flows is 1000000000: expected at most 10000000 flows"],
  ["half a flow", { flows: 6000.5 }, "expected a whole number"],
  ["more overlap than there is", { overlap: 1.1 }, "nids: overlap is 1.1: expected a number from 0 to 1"],
  ["less than none", { overlap: -0.1 }, "overlap is -0.1: expected a number from 0 to 1"],
  ["an overlap that is no number", { overlap: "much" }, 'overlap is "much": expected a number from 0 to 1'],
  ["no overlap at all", { overlap: "" }, 'overlap is "": expected a number from 0 to 1'],
  ["two points", { overlap: "0.1.2" }, "expected a number from 0 to 1"],
  ["no layer", { hidden: [] }, "hidden is []: expected whole numbers above zero"],
  ["too many layers", { hidden: [1, 1, 1, 1, 1] }, "hidden is [1,1,1,1,1]: expected at most 4 layers"],
  ["too many neurons", { narrow: [513] }, "narrow is [513]: expected at most 512 neurons a layer"],
  ["no epoch", { epochs: 0 }, "epochs is 0: expected a number above zero"],
  ["a PyTorch of another kind", { recurrent: "tpu" }, 'recurrent is "tpu"'],
  ["no sample", { sample: 0 }, "sample is 0: expected a number above zero"],
])("%s is refused", (_, args, message) => expect(() => nids(args)).toThrow(message));

test("settings of a stack are those of the job", () => {
  expect(describeSettings(nidsSettings).map(({ key, default: value }) => [key, value])).toEqual([
    ["oneoff:input", undefined],
    ["oneoff:flows", "50000"],
    ["oneoff:overlap", "0.3"],
    ["oneoff:sample", "100000"],
    ["oneoff:hidden", "64,32"],
    ["oneoff:narrow", "24,8,24"],
    ["oneoff:epochs", "15"],
    ["oneoff:recurrent", "off"],
    ["oneoff:seed", "1"],
  ]);
  const parsed = parseSettings(nidsSettings, {
    "oneoff:overlap": "0",
    "oneoff:hidden": "16,8",
    "oneoff:flows": "7000",
  });
  expect(jobKind("nids").create({ ...parsed, workers: 3 })).toEqual(nids({ overlap: 0, hidden: [16, 8], flows: 7000 }));
  expect(() => parseSettings(nidsSettings, { "oneoff:overlap": "2" })).toThrow(
    'oneoff:overlap is "2": expected a number from 0 to 1; set it with: pulumi config set oneoff:overlap VALUE',
  );
});

test("a step scores flows with a model of another run, from one source", () => {
  const made = scoreStep({ model: "s3://lake/networks", follow: "s3://flows/today", table: "scored" });
  expect(made.arguments?.join(" ")).toBe(
    "--model s3://lake/networks --follow s3://flows/today --out {scored} --checkpoint {scratch}/checkpoint",
  );
  expect(made).not.toHaveProperty("packages");
  const streamed = scoreStep({ model: "/lake/networks", kafka: { brokers: "a:9092,b:9092", topic: "flows" } });
  expect(streamed.arguments?.slice(2, 6)).toEqual(["--kafka", "a:9092,b:9092", "--topic", "flows"]);
  expect(streamed.packages).toEqual(["org.apache.spark:spark-sql-kafka-0-10_2.12:3.5.7"]);
  for (const source of [{}, { follow: "/a", kafka: { brokers: "a:1", topic: "b" } }])
    expect(() => scoreStep({ model: "/lake/networks", ...source })).toThrow("expected either follow or kafka");
});

test("a job of that step has what the script writes, and all that it imports", () => {
  const panel = { name: "alarms", title: "Alarms", sql: "SELECT family FROM {scores} WHERE alarm" };
  const { steps, tables } = job({
    ...{ name: "scoring", from: import.meta.url, tables: [scores] },
    steps: [scoreStep({ model: "/lake/networks", follow: "/flows" })],
    panels: [{ ...panel, shows: "Families", chart: { type: "table" } }],
  });
  expect(steps[0]?.leaves).toEqual(["scores"]);
  const python = readFileSync(steps[0]?.script as string, "utf8");
  const modules = new Set(
    [...python.matchAll(/^ *(?:import|from) ((?:nids|scoring)_\w+|networks)/gm)].map(([, name]) => `${name}.py`),
  );
  const brought = (steps[0]?.pyFiles ?? []).map((path) => path.split("/").at(-1) as string);
  modules.delete("scoring_stream.py"); // itself, in a task
  expect(brought.sort()).toEqual(["oneoff.py", ...modules].sort());
  const columns = /^COLUMNS = \{([\s\S]*?)^\}/m.exec(python)?.[1] ?? "";
  const names = [...columns.matchAll(/"(\w+)":|nids_layouts\.(CATEGORIES)/g)].flatMap(([, name, all]) =>
    all ? ["protocol", "service", "state"] : [name],
  );
  expect(tables[0]?.columns.map(({ name }) => name)).toEqual(names);
});
