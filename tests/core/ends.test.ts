import { expect, test } from "vitest";
import { endsOf, ReaperReport } from "../../core/fleet-lake.ts";

const report = (more: object) =>
  endsOf(
    ReaperReport.parse({
      ...{ looked: "2026-01-01T12:00:00Z", ends: "2026-01-01T18:00:00Z", idleSince: null, why: [], workersGo: null },
      nodesStop: null,
      ...more,
    }),
  ).map(({ at, what }) => `${at.slice(11, 13)}: ${what}`);
const ENDS = "18: this fleet ends, with all that is in HDFS and on its disks";
const stops = (hour: number) =>
  `${hour}: all machines of this fleet are stopped, with whoever is on; disks and HDFS stay`;

test("a fleet ends, and is stopped by the clock or by its owner; that it may be idle by then is no such end", () => {
  const nodesStop = "2026-01-01T13:00:00Z";
  expect(report({ nodesStop })).toEqual([ENDS]);
  const clock = { off: "2026-01-01T16:00:00Z", on: "2026-01-02T06:00:00Z" };
  expect(report({ clock, power: { state: "on", done: true } })).toEqual([ENDS, stops(16)]);
  expect(report({ nodesStop, power: { state: "off", done: false } })).toEqual([ENDS, stops(13)]);
});
