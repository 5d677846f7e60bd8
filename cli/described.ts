import type { RunStatus } from "../core/run.ts";

type Step = RunStatus["steps"][number];

export const number = (value: number, digits?: number): string =>
  value.toLocaleString("en-US", digits === undefined ? {} : { maximumSignificantDigits: digits });

/** What a step is at: "models 12/30", "records 1,200" where nobody knows how many there will be, or its state. */
export const describeStep = ({ state, progress }: Step): string => {
  if (!progress || state !== "running") return state;
  const { what, done, total } = progress;
  return `${what} ${number(done)}${total === 0 ? "" : `/${number(total)}`}`;
};
