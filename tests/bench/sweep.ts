/** CPU-seconds of the sweep beside MLlib's and scikit-learn's, one model after another, to the same accuracy. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Figure } from "./index.ts";

const python = fileURLToPath(new URL("../../.oneoff/venv/bin/python", import.meta.url));
const script = fileURLToPath(new URL("./sweep.py", import.meta.url));

interface Report {
  readonly session_start: { readonly cpu_seconds: number };
  readonly oneoff: { readonly cpu_seconds: number };
  readonly mllib: { readonly cpu_seconds: number };
  readonly sklearn: { readonly cpu_seconds: number };
  readonly sizes: readonly {
    readonly hidden: number;
    readonly oneoff_accuracy: number;
    readonly mllib_accuracy: number;
    readonly mllib_iterations: number;
    readonly reached: boolean;
  }[];
  readonly mllib_to_oneoff: number;
  readonly mllib_to_oneoff_without_session_start: number;
  readonly sklearn_to_oneoff: number;
}

export async function sweep(): Promise<readonly Figure[]> {
  const { stdout } = await promisify(execFile)(python, [script], { maxBuffer: 1 << 26 });
  const report = JSON.parse(stdout) as Report;
  const cpu = (part: { readonly cpu_seconds: number }) => `${part.cpu_seconds} CPU-s`;
  return [
    { what: "the sweep, 30 networks", measured: cpu(report.oneoff) },
    { what: "of that, the start of Spark", measured: cpu(report.session_start) },
    { what: "MLlib, one model after another", measured: cpu(report.mllib) },
    { what: "scikit-learn, one model after another, without Spark", measured: cpu(report.sklearn) },
    { what: "MLlib / ours", measured: `${report.mllib_to_oneoff}`, aim: ">= 3" },
    { what: "MLlib / ours without the start of Spark", measured: `${report.mllib_to_oneoff_without_session_start}` },
    { what: "scikit-learn / ours", measured: `${report.sklearn_to_oneoff}` },
    ...report.sizes.map((size) => ({
      what: `accuracy with ${size.hidden} neurons`,
      measured: `ours ${size.oneoff_accuracy}, MLlib ${size.mllib_accuracy} after ${size.mllib_iterations} iterations${size.reached ? "" : " (short of ours)"}`,
    })),
  ];
}
