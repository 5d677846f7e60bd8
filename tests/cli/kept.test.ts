/** What `oneoff doctor` says of the requirements that runs on this machine keep. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keptRequirements } from "../../assets/driver/kept.ts";
import { thisMachine } from "../../cli/local/platform.ts";

const RUN = { type: "oneoff-local:index:Run", name: "run", id: "1", inputs: {} };
const checks = (...resources: readonly (typeof RUN)[]) => thisMachine.machine?.(resources);
let cache: string;
let folder: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "oneoff-kept-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
  folder = join(cache, "pulumi-oneoff", "requirements");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

function keep(name: string, text: string): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, "made.json"), text);
}

test("their number, size and how they are removed", () => {
  keep("0a", '{"bytes": 310000000, "digest": ""}');
  writeFileSync(join(folder, "lock"), "");
  const [one] = checks(RUN) ?? [];
  expect(one).toEqual({
    ...{ name: "kept for runs", ok: true },
    detail: `1 set of installed requirements, 310 MB, kept for later runs; while none goes on, "rm -r ${folder}" removes them`,
  });
  keep("0b", '{"bytes": 1, "digest": ""}');
  keep("0c", '{"byt'); // it counts with the next run
  mkdirSync(join(folder, ".0d"));
  expect(checks(RUN)?.[0]?.detail).toMatch(/^3 sets of installed requirements, 311 MB, kept/);
});

test("nothing where there are none, or the stack runs nothing here", () => {
  expect(checks(RUN)).toEqual([]);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "lock"), "");
  expect(checks(RUN)).toEqual([]);
  keep("0a", '{"bytes": 5}');
  expect(checks({ ...RUN, type: "oneoff-local:index:Folder" })).toEqual([]);
  expect(checks(RUN)).toHaveLength(1);
});

test("they are in the user's cache", () => {
  expect(keptRequirements()).toBe(folder);
  const own = process.platform === "darwin" ? "Library/Caches" : ".cache";
  const there = join(homedir(), own, "pulumi-oneoff", "requirements");
  expect(keptRequirements({})).toBe(there);
  expect(keptRequirements({ XDG_CACHE_HOME: "relative" })).toBe(there);
});

test("whether a fleet fits into the memory, and what was fetched for it", () => {
  const process = { ...RUN, type: "oneoff-local:index:Process", inputs: { memoryMebibytes: 1024 } };
  const software = { ...RUN, type: "oneoff-local:index:Software", inputs: { name: "hadoop" } };
  const run = { ...RUN, inputs: { memoryMebibytes: 512 } };
  const told = (...all: readonly { type: string; name: string; id: string; inputs: object }[]) =>
    thisMachine.machine?.(all as Parameters<NonNullable<typeof thisMachine.machine>>[0]) ?? [];
  const [memory, fetched] = told(process, process, run, software);
  expect(memory).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/^2 processes and a run take up to 3\.0 GB; /),
  });
  expect(fetched?.detail).toBe('hadoop will be fetched by the first "pulumi up"');
  const [large] = told({ ...process, inputs: { memoryMebibytes: 2 ** 40 } });
  expect(large).toMatchObject({ ok: false, cure: expect.stringContaining("oneoff:workers") });
  const home = join(cache, "pulumi-oneoff");
  mkdirSync(join(home, "hadoop-0a1b"), { recursive: true });
  mkdirSync(join(home, "jupyterlab-0a1b"));
  expect(told(software)[0]?.detail).toBe(
    `1 kept for all stacks; once no stack has it, "rm -r ${join(home, "hadoop-0a1b")}" removes it`,
  );
});
