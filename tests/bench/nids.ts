/** CPU-seconds of the training of job nids, beside scikit-learn by hand on the same flows and the start of Spark. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Figure } from "./index.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

type Seconds = Readonly<Record<"cpu_seconds" | "wall_seconds", number>>;
type Detected = Readonly<Record<"classifier" | "autoencoder" | "imitation", number>>;
interface Report {
  readonly start: Seconds;
  readonly by_hand: Seconds;
  readonly ours: Seconds;
  readonly detected: Detected;
  readonly detected_by_hand: Detected;
}

export async function nids(): Promise<readonly Figure[]> {
  const { stdout } = await promisify(execFile)(at("../../.oneoff/venv/bin/python"), [at("nids.py")]);
  const { start, by_hand, ours, detected, detected_by_hand } = JSON.parse(stdout) as Report;
  const taken = ({ cpu_seconds, wall_seconds }: Seconds) => `${cpu_seconds} CPU-s, ${wall_seconds} s`;
  const found = ({ classifier, autoencoder, imitation }: Detected) =>
    [classifier, autoencoder, imitation].map((part) => `${(100 * part).toFixed(1)} %`).join(", ");
  const ratio = ours.cpu_seconds / (by_hand.cpu_seconds + start.cpu_seconds);
  return [
    { what: "nids, step train: three networks of 50,000 flows", measured: taken(ours) },
    { what: "scikit-learn by hand, the same networks", measured: taken(by_hand) },
    { what: "the start of Spark", measured: taken(start) },
    { what: "step train / (by hand + the start of Spark), CPU-s", measured: ratio.toFixed(2), aim: "<= 1.3" },
    { what: "classifier, autoencoder, imitation detect", measured: found(detected) },
    { what: "by hand they detect", measured: found(detected_by_hand) },
  ];
}
