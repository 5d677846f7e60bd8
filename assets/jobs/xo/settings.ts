import { z } from "zod";
import { count, counts } from "../../../core/settings.ts";

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
