import { type Job, job } from "../../../core/job.ts";
import { checkArgs } from "../../../core/settings.ts";
import { tried } from "../../../core/tried.ts";
import { panels } from "./panels.ts";
import { xoSettings } from "./settings.ts";

export interface XoArgs {
  /** Number of points to generate. @default 20000 */
  readonly rows?: number;
  /** Neurons in the hidden layer of each network of the sweep. @default [5, 10, 20, 30, 60, 100, 150, 250, 400, 600] */
  readonly hidden?: readonly number[];
  /** Networks trained per hidden size, each from other starting weights. @default 3 */
  readonly seeds?: number;
  /** Seed of the points: the same seed makes the same points, however many executors there are. @default 1 */
  readonly seed?: number;
}

/**
 * Points labelled X, O or B (background) and a sweep of neural networks that learn to tell them apart, to find the
 * smallest that does it as well as the best.
 *
 * @throws UsageError when an argument is not a whole number above zero, or there is no hidden size.
 */
export function xo(args: XoArgs = {}): Job {
  const { rows, hidden, seeds, seed } = checkArgs("xo", xoSettings, args);
  const made = job({
    name: "xo",
    from: import.meta.url,
    steps: [
      {
        name: "generate",
        script: "generate.py",
        arguments: ["--points", "{points}", "--rows", String(rows), "--seed", String(seed)],
        requirements: "requirements.txt",
        timeLimit: "10 minutes",
      },
      {
        name: "train",
        script: "train.py",
        arguments: [
          ...["--points", "{points}", "--models", "{models}", "--surface", "{surface}", "--optimum", "{optimum}"],
          ...["--hidden", hidden.join(","), "--seeds", String(seeds)],
        ],
        requirements: "requirements.txt",
        timeLimit: "30 minutes",
      },
    ],
    tables: [
      {
        name: "points",
        about: "A point of the plane and the letter it belongs to",
        columns: [
          { name: "id", type: "integer" },
          { name: "x", type: "double" },
          { name: "y", type: "double" },
          { name: "label", type: "string" },
        ],
      },
      {
        name: "models",
        about: "A trained network and how well it does on points it has not seen",
        columns: [
          { name: "hidden", type: "integer" },
          { name: "seed", type: "integer" },
          { name: "accuracy", type: "double" },
          { name: "accuracy_se", type: "double" },
          { name: "seconds", type: "double", unit: "s", measured: true },
        ],
      },
      {
        name: "surface",
        about: "What a network predicts at a point of a regular grid",
        columns: [
          { name: "hidden", type: "integer" },
          { name: "seed", type: "integer" },
          { name: "x", type: "double" },
          { name: "y", type: "double" },
          { name: "predicted", type: "string" },
        ],
      },
      {
        name: "optimum",
        about: "The smallest network that does as well as the best, and why",
        columns: [
          { name: "hidden", type: "integer" },
          { name: "accuracy", type: "double" },
          { name: "accuracy_se", type: "double" },
          { name: "reason", type: "string" },
        ],
      },
    ],
    panels,
  });
  return tried(made);
}
