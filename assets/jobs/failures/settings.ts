import { z } from "zod";
import { count, decimal, layers } from "../../../core/settings.ts";

export const failuresSettings = z.object({
  hosts: count()
    .min(5, "expected at least 5 hosts, as two of five are held out")
    .max(1_000, "expected at most 1000 hosts")
    .default(60)
    .describe("Machines to make up logs of, with five services each; at least 5"),
  days: count()
    .min(2, "expected at least 2 days, or there are too few failures to learn from")
    .max(366, "expected at most 366 days")
    .default(14)
    .describe("Days of logs to make up; at least 2"),
  hazard: decimal(0, 5)
    .default(2)
    .describe("How steeply strain makes services fail, from 0 to 5; with 0 failures come whatever is logged"),
  sample: count()
    .default(100_000)
    .describe("Windows of ten minutes that the network learns from at most, and as many that it is measured on"),
  hidden: layers().default([16]).describe("Neurons in the hidden layers, separated by commas"),
  epochs: count()
    .max(10_000, "expected at most 10000")
    .default(10)
    .describe("How many times the network looks at all windows"),
  seed: count().default(1).describe("Seed of what is made up and of the network: the same seed gives the same results"),
});
