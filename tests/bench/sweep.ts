/** CPU-seconds of the sweep beside MLlib's and scikit-learn's, one model after another, to the same accuracy. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Figure } from "./index.ts";

const python = fileURLToPath(new URL("../../.oneoff/venv/bin/python", import.meta.url));
const script = fileURLToPath(new URL("./sweep.py", import.meta.url));

export async function sweep(): Promise<readonly Figure[]> {
  const { stdout } = await promisify(execFile)(python, [script], { maxBuffer: 1 << 26 });
  return JSON.parse(stdout);
}
