/** Lines of the reaper's log. */
import type { Cancelled } from "./cancelled.ts";
import type { Kind, Overdue } from "./overdue.ts";

/** What has to end, and why. */
export type Due = Overdue | Cancelled;

/** What was done, or could not be. */
export type Entry =
  | ({ readonly event: "ended" } & Due)
  /** Of a fleet that goes to sleep: a group sees to no instance any more; an instance was stopped. Not since when, where it was told to. */
  | {
      readonly event: "emptied" | "stopped";
      readonly kind: Kind;
      readonly id: string;
      readonly fleet: string;
      readonly idleSince?: string;
    }
  /** A fleet's group sees to another number of instances, as there weren't as many as it wanted. */
  | {
      readonly event: "resized";
      readonly kind: Kind;
      readonly id: string;
      readonly fleet: string;
      readonly from: number;
      readonly to: number;
    }
  /** Of a fleet that comes back: a group sees to all instances that it may; an instance was started. */
  | { readonly event: "filled" | "started"; readonly kind: Kind; readonly id: string; readonly fleet: string }
  /** A fleet in whose lake this reaper may not look: that of another stack of this name, which has a reaper of its own. */
  | { readonly event: "left"; readonly kind: "fleet"; readonly id: string; readonly error: string }
  | { readonly event: "failed"; readonly kind: Kind | "fleet"; readonly id: string; readonly error: string };

export const failure = (kind: Kind | "fleet", id: string, error: unknown): Entry => ({
  event: "failed",
  kind,
  id,
  error: explain(error),
});

export const explain = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
