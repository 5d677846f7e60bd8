/** Answers for programs: each schema has its golden file, and docs/commands.md names it. */
import childProcess from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { programWith } from "../../cli/command-line.ts";
import { commands } from "../../cli/commands/index.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { identify, registration } from "../../provider/process.ts";
import { readPage } from "../docs/generated.ts";
import { writeJsonFile } from "../project.ts";
import { oneoff } from "./in-process.ts";

const GOLDEN = fileURLToPath(new URL("golden/", import.meta.url));

/** Commands and those below them that take --json, as they are typed. */
async function answering(): Promise<readonly string[]> {
  const named = (command: Command, before = ""): readonly string[] => [
    ...(command.options.some(({ long }) => long === "--json") ? [`${before}${command.name()}`] : []),
    ...command.commands.flatMap((one) => named(one, `${before}${command.name()} `)),
  ];
  const all = Object.keys(commands).map(async (name) => {
    const command = (await programWith(name)).commands.find((one) => one.name() === name);
    return named(command as Command);
  });
  return (await Promise.all(all)).flat();
}

/** Schemas by command, as the page has them. */
function documented(): Readonly<Record<string, string>> {
  const rows = [...readPage("docs/commands.md").matchAll(/^\| (`.*?) +\| (`oneoff\..*?) +\|$/gm)];
  const quoted = (cell = "", of = /`(.*?)`/g) => [...cell.matchAll(of)].map(([, text]) => text as string);
  return Object.fromEntries(
    rows.flatMap(([, names, schemas]) => {
      const found = quoted(schemas, /`(oneoff\..*?)`/g);
      return quoted(names).map((name, at) => [name, (found[at] ?? found[0]) as string]);
    }),
  );
}

const schemaIn = (file: string): string =>
  /"schema":"(.*?)"/.exec(readFileSync(join(GOLDEN, file), "utf8"))?.[1] ?? file;

test("each command that answers in JSON has its schema in the documentation, and each schema a golden file", async () => {
  const schemas = documented();
  const names = await answering();
  expect(names.length).toBeGreaterThan(10);
  expect(Object.keys(schemas)).toEqual(expect.arrayContaining([...names]));
  const golden = new Set(readdirSync(GOLDEN).map(schemaIn));
  expect([...golden].sort()).toEqual([...new Set([...Object.values(schemas), "oneoff.error/1"])].sort());
});

let folder: string;
const cwd = process.cwd();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-golden-"));
});
afterEach(() => {
  process.chdir(cwd);
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  rmSync(folder, { recursive: true });
});

/** Prices and settings change: which keys there are is what counts, in each list of its first entry. */
const keysOf = (json: string): string =>
  JSON.stringify(JSON.parse(json), (key, value) => {
    if (Array.isArray(value)) return value.slice(0, 1);
    return typeof value === "object" || key === "schema" ? value : typeof value;
  });

test.each([["cost"], ["settings"]])("the keys of %s as JSON are what they were", async (command) => {
  const { out } = await oneoff(command, "emr-oneoff", "--json");
  await expect(keysOf(out)).toMatchFileSnapshot(join(GOLDEN, `${command}.keys`));
});

test("the schema of doctor is what it was", async () => {
  vi.stubEnv("XDG_CACHE_HOME", folder);
  vi.stubEnv("PULUMI_BACKEND_URL", "file:///where/stacks/are");
  const found = [
    { name: "Java", ok: true, detail: "17.0.1" },
    { name: "PySpark", ok: false, detail: "not there", cure: "Make it: npx --no oneoff setup" },
  ];
  vi.spyOn(childProcess, "execFile").mockImplementation((...args: readonly unknown[]) => {
    (args.at(-1) as (error: null, out: object) => void)(null, { stdout: JSON.stringify(found) });
    return {} as childProcess.ChildProcess;
  });
  syncBuiltinESMExports();
  const { code, out } = await oneoff("doctor", "local", "--json");
  expect(code).toBe(1);
  await expect(out).toMatchFileSnapshot(join(GOLDEN, "doctor.jsonl"));
});

test("the schema of leftovers is what it was", async () => {
  const lake = join(folder, "lake");
  writeFileSync(join(folder, "Pulumi.yaml"), "name: mine\nruntime: nodejs\nmain: engine/program.mjs\n");
  writeFileSync(join(folder, "Pulumi.local.yaml"), `config:\n  oneoff:lake: ${lake}\n`);
  const owner = "urn:pulumi:local::mine::oneoff:index:LocalLake$oneoff-local:index:Folder::lake";
  mkdirSync(lake);
  writeJsonFile(lakeLayout(lake).marker, { owner });
  writeJsonFile(registration(lakeLayout(lake).cluster("1")), identify(process.pid));
  process.chdir(folder);
  const { code, out } = await oneoff("leftovers", "local", "--json");
  expect(code).toBe(1);
  const told = out.replaceAll(lake, "LAKE").replaceAll(String(process.pid), "PID");
  await expect(told).toMatchFileSnapshot(join(GOLDEN, "leftovers.jsonl"));
});
