/** The scripts of assets/fleet, where they run on this machine. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { TransientError, UsageError } from "../core/errors.ts";

/**
 * Runs one, and returns the last line of its answer.
 * @param say is told what it says meanwhile.
 * @throws UsageError with the last that it said, when it refuses; TransientError, when it fails; what Node throws when there is no
 * such program.
 */
export async function runScript(
  python: string,
  name: string,
  words: readonly string[],
  say?: (line: string) => void,
): Promise<string> {
  const path = fileURLToPath(new URL(`../assets/fleet/${name}`, import.meta.url));
  const child = spawn(python, [path, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let [answer, last] = ["", ""];
  createInterface({ input: child.stdout }).on("line", (line) => {
    answer = line;
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (last !== "") say?.(last);
    last = line;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) {
    if (last !== "") say?.(last);
    return answer;
  }
  if (code === null) throw new TransientError(`${name} was killed; given again it goes on`);
  const problem = last.replace(/^\w+: /, ""); // its own name goes before
  throw new (code === 2 ? UsageError : TransientError)(problem || `${name} ended with ${code}`);
}
