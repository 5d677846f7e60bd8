import type { RunRecord } from "../../core/run.ts";
import type { RunsAnswer } from "./api.ts";

/** How many records a page is given: a chooser with more is no help. */
export const SHOWN_RUNS = 200;

/** Records as the page is given them, newest first. What made a run is as long as all the rest, and is asked for alone. */
export const shownRuns = (records: readonly RunRecord[]): RunsAnswer["runs"] =>
  records.slice(0, SHOWN_RUNS).map(({ origin: _, ...record }) => record);
