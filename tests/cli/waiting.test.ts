/** Commands that wait for a run, as processes: left by Ctrl-C, out of time, unread. Pulumi's answer is a script's. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { identify } from "../../provider/process.ts";
import { exported } from "./attached.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "oneoff-waiting-"));
const lake = join(folder, "lake");

beforeAll(() => {
  const state = exported({ cluster: "local", run: "1", lake });
  write("bin/pulumi", `#!/bin/sh\necho '${state}'\n`, 0o755);
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

function start(...words: readonly string[]): ChildProcess & { readonly said: { out: string; err: string } } {
  const PATH = [join(folder, "bin"), process.env.PATH].join(delimiter);
  const args = [join(ROOT, "cli", "oneoff.mjs"), ...words, "--stack", "local"];
  const env = { ...process.env, PATH, PULUMI_BACKEND_URL: "file:///where-the-script-answers" };
  const child = spawn(process.execPath, args, { cwd: folder, env });
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    said.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    said.err += chunk;
  });
  return Object.assign(child, { said });
}

const HINT = 'Ctrl-C leaves it running; "npx --no oneoff cancel local" ends it.\n';
const LEFT =
  '\nThe run goes on: "npx --no oneoff watch local" shows it again, and "npx --no oneoff cancel local" ends it.\n';

test.each([
  ["watch", "--no-logs"],
  ["logs", "-f", "--tail", "1"],
])("Ctrl-C leaves the run alone, and says so before and after (%s)", async (...words) => {
  const child = start(...words);
  await expect.poll(() => child.said).toMatchObject({ out: expect.stringMatching(/\S/), err: HINT });
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([130, null]);
  expect(child.said.err).toBe(HINT + LEFT);
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
