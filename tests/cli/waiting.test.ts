/** Commands that wait for a run, as processes: left by Ctrl-C, out of time, unread. Pulumi's answer is a script's. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { identify } from "../../provider/process.ts";
import { UNSET } from "../project.ts";
import { exported } from "./attached.ts";
import { typed } from "./stack.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "oneoff-waiting-"));
const lake = join(folder, "lake");

beforeAll(() => {
  const state = exported({ cluster: "local", run: "1", lake });
  const foreign = exported({ mine: 1 });
  write("bin/pulumi", `#!/bin/sh\ncase "$*" in *foreign*) echo '${foreign}';; *) echo '${state}';; esac\n`, 0o755);
  write("Pulumi.yaml", "name: mine\nruntime: nodejs\n");
  const run = { run: "1", job: "xo", state: "running", started: new Date().toISOString() };
  write("lake/_runs/1.json", JSON.stringify({ ...run, steps: [{ name: "points", state: "running" }] }));
  write("lake/_clusters/1/process.json", JSON.stringify(identify(process.pid))); // it goes on while the tests do
  write("lake/_logs/1/points.log", "a line\n".repeat(50_000));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content, { mode });
}

function environment(): NodeJS.ProcessEnv {
  const whose = Object.fromEntries(UNSET.map((name) => [name, undefined])); // where stacks would be looked for
  const PATH = [join(folder, "bin"), process.env.PATH].join(delimiter);
  return { ...process.env, ...whose, PATH, PULUMI_BACKEND_URL: "file:///where-the-script-answers" };
}

const start = (...words: readonly string[]): Started => startInto(["pipe", "pipe"], words);

type Started = ChildProcess & { readonly said: { out: string; err: string } };

/** @param streams where its standard output and standard error go. */
function startInto(streams: readonly ("pipe" | number)[], words: readonly string[]): Started {
  const args = [join(ROOT, "cli", "oneoff.mjs"), ...words, ...(words.includes("--stack") ? [] : ["--stack", "local"])];
  const env = environment();
  const child: ChildProcess = spawn(process.execPath, args, { cwd: folder, env, stdio: ["pipe", ...streams] });
  const said = { out: "", err: "" };
  child.stdout?.on("data", (chunk) => {
    said.out += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    said.err += chunk;
  });
  return Object.assign(child, { said });
}

const HINT = 'Ctrl-C leaves it running; "npx --no oneoff cancel local" ends it.\n';
const LEFT =
  '\nThe run goes on: "npx --no oneoff watch local" shows it again, and "npx --no oneoff cancel local" ends it.\n';

test.each([
  ["SIGINT", 130, ["watch", "--no-logs"]],
  ["SIGINT", 130, ["logs", "-f", "--tail", "1"]],
  ["SIGTERM", 143, ["watch", "--json"]],
] as const)("%s leaves the run alone, ends with %i, and says so before and after (%s)", async (signal, exit, words) => {
  const child = start(...words);
  await expect.poll(() => child.said).toMatchObject({ out: expect.stringMatching(/\S/), err: HINT });
  child.kill(signal);
  expect(await once(child, "close")).toEqual([exit, null]);
  expect(child.said.err).toBe(HINT + LEFT);
  if (words[1] !== "--json") return;
  const last = child.said.out.trimEnd().split("\n").at(-1) as string;
  expect(JSON.parse(last)).toMatchObject({ type: "end", state: "running", exit });
});

test("status -f, which waits for nothing, ends with 143 when it is asked to end", async () => {
  const child = start("status", "-f", "--json");
  await expect.poll(() => child.said.out).toContain('"type":"status"');
  child.kill("SIGTERM");
  expect(await once(child, "close")).toEqual([143, null]);
  expect(child.said.out).toMatch(/"type":"end".*"exit":143}\n$/);
});

test("--timeout ends the wait, and not the run", async () => {
  const child = start("watch", "--json", "--timeout", "1s");
  expect(await once(child, "close")).toEqual([9, null]);
  expect(child.said.err).toBe(`${HINT}Run 1 goes on, and --timeout is over.\n`);
  const lines = child.said.out.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { type: "begin", schema: "oneoff.watch/1", stack: "local", run: "1" },
    { type: "status", state: "running", steps: [{ name: "points", state: "running" }] },
    { type: "end", state: "running", exit: 9 },
  ]);
});

test("who has read enough ends the command with 0", async () => {
  const child = start("logs");
  await once(child.stdout as NodeJS.ReadableStream, "data");
  child.stdout?.destroy();
  expect(await once(child, "exit")).toEqual([0, null]);
  expect(child.said.err).toBe("");
});

test.runIf(existsSync("/dev/full"))(
  "an answer that there is no room for is no answer; what else is said may go",
  async () => {
    const full = openSync("/dev/full", "w");
    const unanswered = startInto([full, "pipe"], ["runs"]);
    expect(await once(unanswered, "close")).toEqual([4, null]);
    expect(unanswered.said.err).toMatch(/^oneoff: standard output can't be written: ENOSPC.*\n$/);
    const unsaid = startInto(["pipe", full], ["status"]);
    expect(await once(unsaid, "close")).toEqual([0, null]);
    expect(unsaid.said.out).toMatch(/^Stack .*\nRun /);
    closeSync(full);
  },
);

test("-v says what is asked of whom, and -q only what fails", async () => {
  const verbose = start("status", "-v");
  await once(verbose, "close");
  expect(verbose.said.err).toMatch(/^> \$ pulumi stack export --stack local .*\nNext {5}/);
  const quiet = start("--quiet", "status");
  await once(quiet, "close");
  expect(quiet.said).toEqual({ out: expect.stringContaining("Run "), err: "" });
  const failing = start("runs", "show", "nosuch", "-q");
  await once(failing, "close");
  expect(failing.said).toEqual({
    out: "",
    err: expect.stringMatching(/^oneoff: stack local has no run "nosuch": .*\n$/),
  });
});

test.each([
  ["n\n", 8],
  ["\u0003", 130],
])("a question that is answered by %j ends with %i, and nothing is done", async (answer, exit) => {
  const { code, output } = await typed({ folder, env: environment() }, ["cancel", "local"], answer);
  expect(code).toBe(exit);
  expect(output).toMatch(/Cancel it\? \(y\/N\) .*\r\noneoff: nothing was done\r\n$/s);
  expect(existsSync(join(lake, "_cancels"))).toBe(false);
});

test("of a stack that is up nobody says that nothing is left, because nobody knows where to look", async () => {
  const child = start("leftovers", "--stack", "foreign");
  expect(await once(child, "close")).toEqual([2, null]);
  expect(child.said).toEqual({
    out: "",
    err: 'oneoff: stack foreign is up, and neither it nor its program say where: "npx --no oneoff down foreign" first\n',
  });
});
