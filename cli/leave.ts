/** Commands that wait for a run may be left: it goes on. */
import { Exit } from "../core/errors.ts";

/**
 * Says that Ctrl-C leaves the run alone, now and once it was pressed, and ends the command then.
 * @returns what has Ctrl-C do again what it did.
 */
export function mayBeLeft(stack: string, run?: string): () => void {
  const which = run === undefined ? stack : `${stack} --run ${run}`;
  const leave = () => {
    console.error(
      `\nThe run goes on: "npx --no oneoff watch ${which}" shows it again, and "npx --no oneoff cancel ${which}" ends it.`,
    );
    process.exit(Exit.interrupted);
  };
  console.error(`Ctrl-C leaves it running; "npx --no oneoff cancel ${which}" ends it.`);
  process.once("SIGINT", leave);
  return () => void process.off("SIGINT", leave);
}
