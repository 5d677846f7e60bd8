import { expect, test } from "vitest";
import { z } from "zod";
import { applyTransform } from "../../components/common/transform.ts";
import { formatDuration, seconds } from "../../core/duration.ts";
import { UsageError } from "../../core/errors.ts";
import { deadlineSeconds } from "../../core/lifetime.ts";
import { checkRunId } from "../../core/run.ts";
import {
  count,
  counts,
  describeSettings,
  duration,
  flag,
  parseSettings,
  port,
  runId,
  size,
} from "../../core/settings.ts";
import { mebibytes } from "../../core/size.ts";

test.each([
  ["90 minutes", 5400],
  ["1.5 hours", 5400],
  ["7 days", 604_800],
  ["1 second", 1],
])("the duration %s is %d seconds", (text, expected) => expect(seconds(text)).toBe(expected));

test.each([
  "",
  "90",
  "90 min",
  "-1 minutes",
  "0 seconds",
  "0.5 seconds",
  "1e3 seconds",
  "90  minutes",
  "Infinity days",
])("the duration %j is refused", (text) =>
  expect(() => seconds(text, "deadline")).toThrow(/^deadline is ".*": expected a number and a unit/),
);

test.each([
  ["512 MB", 512],
  ["1.5 GB", 1536],
  ["1 TB", 1_048_576],
])("the size %s is %d mebibytes", (text, expected) => expect(mebibytes(text)).toBe(expected));

test.each(["", "4g", "4 gb", "0 MB", "0.3 MB", "-1 GB"])("the size %j is refused", (text) =>
  expect(() => mebibytes(text, "memory")).toThrow(/^memory is ".*": expected a number and a unit/),
);

test.each([
  [0, "0 s"],
  [59.6, "1 min"],
  [5400, "1 h 30 min"],
  [90_061, "1 d 1 h"],
  [3601, "1 h"],
])("%d seconds are spoken as %s", (given, expected) => expect(formatDuration(given)).toBe(expected));

test("a deadline outside of what a cluster can do is refused with both bounds", () => {
  expect(deadlineSeconds({ deadline: "2 hours" }, "1 minute", "7 days")).toBe(7200);
  expect(() => deadlineSeconds({ deadline: "30 seconds" }, "1 minute", "7 days")).toThrow(
    'deadline is "30 seconds" (30 s): expected something from "1 minute" to "7 days"',
  );
  expect(() => deadlineSeconds({ deadline: "8 days" }, "1 minute", "7 days")).toThrow(UsageError);
});

test("a run id is a folder's name", () => {
  expect(checkRunId("2026-11-21.a_B")).toBe("2026-11-21.a_B");
  for (const id of ["", "../x", "a/b", ".hidden", "a b", "x".repeat(64)])
    expect(() => checkRunId(id)).toThrow(UsageError);
});

const schema = z.object({
  rows: count().default(10).describe("Rows"),
  hidden: counts().default([5, 10]).describe("Sizes"),
  deadline: duration("1 minute", "7 days").default("1 hour").describe("End"),
  memory: size().default("2 GB").describe("Memory"),
  port: port().default(80).describe("Port"),
  runId: runId().default("1").describe("Run"),
  fast: flag().default(false).describe("Fast"),
  region: z.string().describe("Where"),
});

test("settings are parsed from text, with defaults", () => {
  const given = { "oneoff:rows": "20", "oneoff:hidden": "1, 2,3", "oneoff:fast": "true", "oneoff:region": "here" };
  expect(parseSettings(schema, { ...given, "aws:region": "elsewhere" })).toEqual({
    rows: 20,
    hidden: [1, 2, 3],
    deadline: "1 hour",
    memory: "2 GB",
    port: 80,
    runId: "1",
    fast: true,
    region: "here",
  });
});

test.each([
  ["rows", "0", 'oneoff:rows is "0": expected a number above zero'],
  ["rows", "-5", 'oneoff:rows is "-5"'],
  ["rows", "many", 'oneoff:rows is "many": expected a whole number above zero'],
  ["rows", "1.5", 'oneoff:rows is "1.5": expected a whole number'],
  ["hidden", "", 'oneoff:hidden is "": expected whole numbers above zero, separated by commas'],
  ["hidden", "5,-1", 'oneoff:hidden is "5,-1"'],
  ["hidden", "5,,6", 'oneoff:hidden is "5,,6"'],
  ["deadline", "soon", 'oneoff:deadline is "soon": expected a number and a unit'],
  ["deadline", "8 days", 'oneoff:deadline is "8 days": expected something from "1 minute" to "7 days"'],
  ["port", "70000", 'oneoff:port is "70000": expected a number from 1 to 65535'],
  ["runId", "a/b", 'oneoff:runId is "a/b": expected 1 to 63 letters'],
  ["memory", "4g", 'oneoff:memory is "4g": expected a number and a unit'],
  ["fast", "yes", 'oneoff:fast is "yes"'],
])("the setting %s is refused when it is %j, with the cure", (key, value, message) => {
  const given = { "oneoff:region": "here", [`oneoff:${key}`]: value };
  expect(() => parseSettings(schema, given)).toThrow(message);
  expect(() => parseSettings(schema, given)).toThrow(`pulumi config set oneoff:${key}`);
});

test("an unknown setting and a missing one are named", () => {
  expect(() => parseSettings(schema, { "oneoff:rowz": "1" })).toThrow(
    "oneoff:rowz is not a setting of this stack; there are oneoff:rows,",
  );
  expect(() => parseSettings(schema, {})).toThrow("oneoff:region is not set (Where)");
});

test("settings are described with their defaults as one would set them", () => {
  expect(describeSettings(schema)).toEqual([
    { key: "oneoff:rows", about: "Rows", default: "10" },
    { key: "oneoff:hidden", about: "Sizes", default: "5,10" },
    { key: "oneoff:deadline", about: "End", default: "1 hour" },
    { key: "oneoff:memory", about: "Memory", default: "2 GB" },
    { key: "oneoff:port", about: "Port", default: "80" },
    { key: "oneoff:runId", about: "Run", default: "1" },
    { key: "oneoff:fast", about: "Fast", default: "false" },
    { key: "oneoff:region", about: "Where" },
  ]);
});

test("a transform is put over the arguments, or gets them", () => {
  const opts = { protect: true };
  expect(applyTransform(undefined, "a", { x: 1 }, opts)).toEqual(["a", { x: 1 }, opts]);
  expect(applyTransform({ x: 2 }, "a", { x: 1, y: 1 }, opts)).toEqual(["a", { x: 2, y: 1 }, opts]);
  const change = (args: { x: number }) => ({ args: { x: args.x + 1 }, opts: { retainOnDelete: true } });
  expect(applyTransform(change, "a", { x: 1 }, opts)).toEqual(["a", { x: 2 }, { protect: true, retainOnDelete: true }]);
});
