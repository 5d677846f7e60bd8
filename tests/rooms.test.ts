import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { circlesIn, floorOf, type Import, importsIn, roomOf } from "./rooms.ts";

const { files, imports } = importsIn(fileURLToPath(new URL("..", import.meta.url)));
const arrow = ({ from, to }: Import) => `${from} -> ${to}`;
const between = imports.filter(({ from, to }) => roomOf(to) !== undefined && roomOf(from) !== roomOf(to));
const isUpward = ({ from, to }: Import) => floorOf(roomOf(to) as string) <= floorOf(roomOf(from) as string);

test("every file of the product is in a room", () => {
  expect(files.length).toBeGreaterThan(200);
  expect(files.filter((file) => !roomOf(file))).toEqual([]);
});

test("every relative import is of a file that is there", () => {
  const ours = imports.filter(({ to }) => roomOf(to) !== undefined);
  expect(ours.length).toBeGreaterThan(500);
  const built = ["assets/dashboard/page/vega.js"];
  expect(ours.filter(({ to }) => !files.includes(to) && !built.includes(to)).map(arrow)).toEqual([]);
});

test("arrows go down: no room imports one above it, or beside it", () => {
  expect(between.length).toBeGreaterThan(200);
  expect(between.filter(isUpward).map(arrow)).toEqual([]);
});

test("no files import each other in a circle", () => {
  expect(circlesIn(imports)).toEqual([]);
});

test.each([
  ["core", ["zod"]],
  ["assets/jobs", ["zod"]],
])("%s rests on Node and on no more than %j", (room, packages) => {
  const used = imports.filter(({ from, to }) => roomOf(from) === room && !roomOf(to) && !to.startsWith("node:"));
  expect([...new Set(used.map(({ to }) => to))].sort()).toEqual(packages);
});

test("nothing of Pulumi is in what runs elsewhere, nor in what talks to services", () => {
  const pulumi = imports.filter(({ from, to }) => /^(assets|clients|core)\//.test(from) && to.startsWith("@pulumi/"));
  expect(pulumi.map(arrow)).toEqual([]);
});

test("an upward arrow and a circle would be found", () => {
  const wrong = { from: "core/job.ts", to: "components/aws/lake.ts" };
  expect(isUpward(wrong)).toBe(true);
  expect(isUpward({ from: "components/gcp/lake.ts", to: "components/aws/lake.ts" })).toBe(true);
  expect(isUpward({ from: "components/gcp/lake.ts", to: "core/job.ts" })).toBe(false);
  const back = { from: "components/aws/lake.ts", to: "core/job.ts" };
  expect(circlesIn([wrong, back, { from: "cli/main.ts", to: "core/job.ts" }])).toEqual([
    ["components/aws/lake.ts", "core/job.ts"],
  ]);
});
