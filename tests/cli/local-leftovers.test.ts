/** What is left of a stack on this machine: its lake says. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StackFiles } from "../../cli/config.ts";
import { localLeftovers } from "../../cli/local/leftovers.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { identify, registration } from "../../provider/process.ts";
import { writeJsonFile } from "../project.ts";

const files = { project: "mine", stack: "local" } as StackFiles;
const urn = (stack: string) => `urn:pulumi:${stack}::mine::oneoff:index:LocalLake$oneoff-local:index:Folder::lake`;
const left = () => localLeftovers(files, lake).map(({ kind, id, kept, unsure }) => ({ kind, id, kept, unsure }));

let lake: string;
beforeEach(() => {
  lake = mkdtempSync(join(tmpdir(), "oneoff-left-"));
});
afterEach(() => rmSync(lake, { recursive: true }));

test("nothing, where there is no lake, or another stack's", () => {
  expect(localLeftovers(files, join(lake, "gone"))).toEqual([]);
  expect(left()).toEqual([]);
  writeJsonFile(lakeLayout(lake).marker, { owner: urn("other") });
  expect(left()).toEqual([]);
});

test("a lake that was retained stays on purpose", () => {
  writeJsonFile(lakeLayout(lake).marker, {});
  expect(left()).toMatchObject([{ kind: "lake", id: lake, kept: true }]);
});

test("a lake that is the stack's, with the processes in it, is for its destroy to remove", async () => {
  writeJsonFile(lakeLayout(lake).marker, { owner: urn("local") });
  const home = lakeLayout(lake).dashboard("board");
  writeJsonFile(registration(home), identify(process.pid));
  writeJsonFile(registration(lakeLayout(lake).cluster("1")), { pid: process.pid, born: "long ago" });
  expect(left()).toMatchObject([
    { kind: "process", id: `${process.pid} (${home})` },
    { kind: "lake", id: lake },
  ]);
  await expect(localLeftovers(files, lake)[1]?.remove()).rejects.toThrow(
    'then "npx pulumi destroy --stack local" does',
  );
});

test("a lake whose marker can't be read may be anybody's", () => {
  writeFileSync(lakeLayout(lake).marker, "{");
  expect(left()).toMatchObject([{ kind: "lake", unsure: expect.stringContaining("_lake.json can't be read") }]);
  rmSync(lakeLayout(lake).marker);
  mkdirSync(lakeLayout(lake).marker);
  expect(left()).toMatchObject([{ unsure: expect.stringContaining("it is no file") }]);
});
