import type { RunStatus } from "../core/run.ts";

type Step = RunStatus["steps"][number];

export const number = (value: number, digits?: number): string =>
  value.toLocaleString("en-US", digits === undefined ? {} : { maximumSignificantDigits: digits });

/** What a step is at: "models 12/30", or its state. */
export const describeStep = ({ state, progress }: Step): string =>
  progress && state === "running" ? `${progress.what} ${number(progress.done)}/${number(progress.total)}` : state;
