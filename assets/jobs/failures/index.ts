import { type Job, job } from "../../../core/job.ts";
import { checkArgs } from "../../../core/settings.ts";
import type { SparkStepArgs } from "../../../core/step.ts";
import { tried } from "../../../core/tried.ts";
import { panels } from "./panels.ts";
import { failuresSettings } from "./settings.ts";
import { tables } from "./tables.ts";

export interface FailuresArgs {
  /** Machines to make up logs of, with five services each. @default 60 */
  readonly hosts?: number;
  /** Days of logs to make up. @default 14 */
  readonly days?: number;
  /** How steeply strain makes services fail: with 0 failures come whatever is logged. @default 2 */
  readonly hazard?: number;
  /** Windows of ten minutes that the network learns from at most, and as many that it is measured on. @default 100000 */
  readonly sample?: number;
  /** Neurons in the hidden layers of the network. @default [16] */
  readonly hidden?: readonly number[];
  /** How many times the network looks at all windows. @default 10 */
  readonly epochs?: number;
  /** Seed of what is made up and of the network: the same seed gives the same results on any cluster. @default 1 */
  readonly seed?: number;
}

/**
 * Logs that foretell a failure: a network that learns it from made-up logs of services, how early it says so and at how many
 * false alarms, beside the best that anybody could say who reads those logs. It leaves as an ONNX file in table `networks`.
 *
 * @throws UsageError when a number is out of its range.
 */
export function failures(args: FailuresArgs = {}): Job {
  const { hosts, days, hazard, sample, hidden, epochs, seed } = checkArgs("failures", failuresSettings, args);
  const made = ["logs", "failures", "truth"];
  const results = ["roc", "detection", "leads", "services", "patterns", "examples", "curves", "networks"];
  const folders = (names: readonly string[]) => names.flatMap((table) => [`--${table}`, `{${table}}`]);
  return tried(
    job({
      name: "failures",
      from: import.meta.url,
      steps: [
        step("logs", "logs.py", {
          arguments: [
            ...folders(made),
            ...["--hosts", String(hosts), "--days", String(days), "--hazard", String(hazard), "--seed", String(seed)],
          ],
          timeLimit: "1 hour",
        }),
        step("train", "failures_train.py", {
          arguments: [
            ...folders([...made, ...results]),
            ...["--days", String(days), "--hidden", hidden.join(","), "--epochs", String(epochs)],
            ...["--sample", String(sample), "--seed", String(seed)],
          ],
          timeLimit: "3 hours",
        }),
      ],
      tables,
      panels,
    }),
  );
}

/** What the scripts import. */
const MODULES = [
  ...["../networks.py", "../networks_onnx.py"],
  ...["data", "measure", "services", "twin", "windows"].map((name) => `failures_${name}.py`),
];

const step = (name: string, script: string, own: Omit<SparkStepArgs, "name" | "script">): SparkStepArgs => ({
  name,
  script,
  pyFiles: MODULES,
  requirements: "requirements.txt",
  ...own,
});
