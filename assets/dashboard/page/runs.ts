import type { RunRecord } from "../../../core/run.ts";
import { moment, span } from "./time.ts";

/** `lost`: it still says that it is running, and its cluster must have ended. */
export type ShownState = RunRecord["state"] | "lost";

export function shownState(record: RunRecord, now: number): ShownState {
  const over = record.deadline !== undefined && Date.parse(record.deadline) < now;
  return record.state === "running" && over ? "lost" : record.state;
}

export const STATE_WORD: Readonly<Record<ShownState, string>> = {
  running: "Running",
  succeeded: "Succeeded",
  failed: "Failed",
  cancelled: "Cancelled",
  lost: "Lost",
};

/** Signs beside the words, so that a state isn't told by colour alone. */
export const STATE_SIGN: Readonly<Record<ShownState, string>> = {
  running: "●",
  succeeded: "✓",
  failed: "✕",
  cancelled: "■",
  lost: "?",
};

/** A run in a chooser. */
export const optionText = (record: RunRecord, now: number): string =>
  `${record.run} · ${STATE_WORD[shownState(record, now)].toLowerCase()} · ${moment(Date.parse(record.started), now)}`;

/** How long it has taken so far, or took. */
export function elapsed(record: RunRecord, now: number): string {
  const state = shownState(record, now);
  const took = span(Date.parse(record.ended ?? new Date(now).toISOString()) - Date.parse(record.started));
  const started = `started ${moment(Date.parse(record.started), now)}`;
  if (state === "running") return `for ${took} · ${started}`;
  return record.ended ? `after ${took} · ${started}` : started;
}

/** What went wrong, undefined when nothing did. */
export function trouble(record: RunRecord, now: number): string | undefined {
  const state = shownState(record, now);
  if (state === "failed") return record.error ?? "It failed and didn't say why; the cluster's logs may.";
  if (state !== "lost") return undefined;
  return `Its cluster ended at ${moment(Date.parse(record.deadline as string), now)} at the latest, and the run never said that it was done.`;
}

/** Why there are no rows, as far as the run can tell. */
export function noRows(record: RunRecord | undefined, now: number): string {
  switch (record && shownState(record, now)) {
    case "succeeded":
      return "This run has no rows here.";
    case "failed":
    case "cancelled":
    case "lost":
      return "The run ended before it had rows for this panel.";
    default:
      return "No rows yet. They appear here as soon as the run has some.";
  }
}
