/** Commands that wait for a run may be left: it goes on. */
import { Exit } from "../core/errors.ts";
import type { JsonLines } from "./answer.ts";

/** What asks a command to end, and what it ends with then. */
const SIGNALS = { SIGINT: Exit.interrupted, SIGTERM: Exit.terminated } as const;

/**
 * Says that Ctrl-C leaves the run alone, now and once it was pressed, and ends the command then.
 * @param lines where a program is told that it ends. @default it is for people
 * @returns what has Ctrl-C do again what it did.
 */
export function mayBeLeft(stack: string, run?: string, lines?: JsonLines): () => void {
  const which = run === undefined ? stack : `${stack} --run ${run}`;
  const leave = (signal: keyof typeof SIGNALS) => {
    console.error(
      `\nThe run goes on: "npx --no oneoff watch ${which}" shows it again, and "npx --no oneoff cancel ${which}" ends it.`,
    );
    lines?.end("running", SIGNALS[signal]);
    process.exit(SIGNALS[signal]);
  };
  console.error(`Ctrl-C leaves it running; "npx --no oneoff cancel ${which}" ends it.`);
  const signals = Object.keys(SIGNALS);
  for (const signal of signals) process.once(signal, leave);
  return () => {
    for (const signal of signals) process.off(signal, leave);
  };
}
