import { z } from "zod";
import { count, counts } from "../../../components/core/settings.ts";
import { type Job, job } from "../../../components/job/job.ts";

export const xoSettings = z.object({
  rows: count().default(20_000).describe("Number of points to generate"),
  hidden: counts()
    .default([5, 10, 20, 30, 60, 100, 150, 250, 400, 600])
    .describe("Neurons in the hidden layer of each network of the sweep, separated by commas"),
  seeds: count().default(3).describe("Networks trained per hidden size, each from other starting weights"),
  seed: count()
    .default(1)
    .describe("Seed of the points: the same seed makes the same points, however many executors there are"),
});

export type XoArgs = z.input<typeof xoSettings>;

/**
 * Points labelled X, O or B (background) and a sweep of neural networks that learn to tell them apart, to find the
 * smallest that does it as well as the best.
 *
 * @throws UsageError never; the arguments are checked by `xoSettings`, whose ZodError names the one that is wrong.
 */
export function xo(args: XoArgs = {}): Job {
  const { rows, hidden, seeds, seed } = xoSettings.parse(args);
  return job({
    name: "xo",
    from: import.meta.url,
    steps: [
      {
        name: "generate",
        script: "generate.py",
        arguments: ["--points", "{points}", "--rows", String(rows), "--seed", String(seed)],
        pyFiles: ["../oneoff.py"],
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
        pyFiles: ["../oneoff.py"],
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
    panels: [
      {
        name: "points",
        title: "Points",
        shows: "A sample of up to 5,000 of the generated points, coloured by the letter they belong to.",
        sql: "SELECT x, y, label FROM {points} ORDER BY id LIMIT 5000",
        chart: {
          mark: { type: "point", filled: true, size: 8 },
          encoding: {
            x: { field: "x", type: "quantitative" },
            y: { field: "y", type: "quantitative" },
            color: { field: "label", type: "nominal" },
          },
        },
      },
    ],
  });
}
