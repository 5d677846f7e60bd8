import { type Job, job } from "../../../core/job.ts";
import { checkArgs } from "../../../core/settings.ts";
import type { SparkStepArgs } from "../../../core/step.ts";
import { tried } from "../../../core/tried.ts";
import { isGranted } from "../input.ts";
import { panels } from "./panels.ts";
import { nidsSettings } from "./settings.ts";
import { tables, withoutEqualNumbers } from "./tables.ts";

export interface NidsArgs {
  /**
   * Your own copy of UNSW-NB15, as its whole set (49 columns, no header) or as its training and testing sets (45 columns with
   * a header), or of NSL-KDD: a file, or a folder with such files in it or below, by an absolute path or an address that
   * begins with `s3://`, `gs://` or `webhdfs://`. A path and an address in S3 are among the job's `reads`. The data are for
   * academic use and are to be cited; models that were trained on them say so.
   * @default flows are made up, of which the best reachable detection is known
   */
  readonly input?: string;
  /** Network flows to make up. Unused with `input`, as is `overlap`. @default 50000 */
  readonly flows?: number;
  /** How alike attacks and normal flows are that are made up: with 1 nothing tells them apart. @default 0.3 */
  readonly overlap?: number;
  /** Flows that networks learn from at most, and as many that they are measured on. @default 100000 */
  readonly sample?: number;
  /** Neurons in the hidden layers of the classifier and of the imitation. @default [64, 32] */
  readonly hidden?: readonly number[];
  /** Neurons in the layers of the autoencoder. @default [24, 8, 24] */
  readonly narrow?: readonly number[];
  /** How many times a network looks at all flows. @default 15 */
  readonly epochs?: number;
  /**
   * Whether a network learns too that remembers what a host did before, and with which PyTorch: `"cpu"`, which on Linux has to be
   * in the Python that runs the steps, or `"gpu"`, of some gigabytes, which is installed and learns on CPUs where there is no GPU.
   * It needs flows with hosts and times. Its results are equal within a tolerance, so numbers of tables are left out of digests.
   * @default "off"
   */
  readonly recurrent?: "off" | "cpu" | "gpu";
  /** Seed of what is made up and of the networks: the same seed gives the same results on any cluster. @default 1 */
  readonly seed?: number;
}

/**
 * Which network flows are attacks: a classifier of attack families, an autoencoder of normal traffic and a network that
 * imitates it, each as an ONNX file in a row of table `networks`, and how far they are from the best that can be reached.
 *
 * @throws UsageError when a number is out of its range, or `input` is not an address.
 */
export function nids(args: NidsArgs = {}): Job {
  const { input, flows, overlap, sample, hidden, narrow, epochs, recurrent, seed } = checkArgs(
    "nids",
    nidsSettings,
    args,
  );
  const made = ["--number", String(flows), "--overlap", String(overlap), "--seed", String(seed)];
  const results = ["roc", "detection", "families", "confusion", "curves", "networks"];
  const folders = [
    ...["--flows", "{flows}", "--truth", "{truth}"],
    ...results.flatMap((table) => [`--${table}`, `{${table}}`]),
  ];
  const learning = ["--epochs", String(epochs), "--sample", String(sample), "--seed", String(seed)];
  return tried(
    job({
      name: "nids",
      from: import.meta.url,
      steps: [
        step("flows", "flows.py", {
          arguments: ["--flows", "{flows}", "--truth", "{truth}", ...(input ? ["--input", input] : made)],
          timeLimit: "1 hour",
        }),
        step("train", "nids_train.py", {
          arguments: [...folders, "--hidden", hidden.join(","), "--narrow", narrow.join(","), ...learning],
          timeLimit: "3 hours",
        }),
        ...(recurrent === "off"
          ? []
          : [
              step("recurrent", "nids_recurrent.py", {
                arguments: [...folders, "--kept", "{scratch}/recurrent", "--hidden", hidden.join(","), ...learning],
                requirements: recurrent === "gpu" ? "torch/requirements.txt" : "torch-cpu/requirements.txt",
                timeLimit: "3 hours",
              }),
            ]),
      ],
      tables: recurrent === "off" ? tables : withoutEqualNumbers(tables),
      panels,
      reads: [input].filter((address) => address !== undefined).filter(isGranted),
    }),
  );
}

/** What the scripts import. */
const MODULES = [
  ...["../networks.py", "../networks_onnx.py"],
  ...["arrays", "data", "families", "gru", "gru_onnx", "input", "layouts", "parts", "sequences", "train", "twin"].map(
    (name) => `nids_${name}.py`,
  ),
];

const step = (name: string, script: string, own: Omit<SparkStepArgs, "name" | "script">): SparkStepArgs => ({
  name,
  script,
  pyFiles: MODULES,
  requirements: "requirements.txt",
  ...own,
});
