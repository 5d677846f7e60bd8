import { z } from "zod";
import { count, decimal, layers } from "../../../core/settings.ts";
import { unpackedAddress } from "../input.ts";

export const nidsSettings = z.object({
  input: unpackedAddress("the published files or a folder of them")
    .optional()
    .describe(
      "Your copy of UNSW-NB15 or NSL-KDD: a file, or a folder with such files in it or below, by absolute path or s3://, gs:// or webhdfs:// address; made up when not set",
    ),
  // Several hundred normal ones are held out, or one false alarm in a hundred would be told by a handful.
  flows: count()
    .min(5_000, "expected at least 5000 flows, or there are too few to measure false alarms on")
    .max(10_000_000, "expected at most 10000000 flows")
    .default(50_000)
    .describe("Network flows to make up, where there is no `input`; at least 5000"),
  overlap: decimal(0, 1)
    .default(0.3)
    .describe("How alike attacks and normal flows are that are made up, from 0 to 1, where nothing tells them apart"),
  sample: count()
    .default(100_000)
    .describe("Flows that networks learn from at most, and as many that they are measured on"),
  hidden: layers().default([64, 32]).describe("Neurons in the hidden layers, separated by commas"),
  narrow: layers()
    .default([24, 8, 24])
    .describe("Neurons in the layers of the autoencoder, which flows have to pass, separated by commas"),
  epochs: count()
    .max(10_000, "expected at most 10000")
    .default(15)
    .describe("How many times a network looks at all flows"),
  recurrent: z
    .enum(["off", "cpu", "gpu"])
    .default("off")
    .describe(
      "Whether a network learns too that remembers what a host did before: off, or with PyTorch for a cpu or a gpu, which is large",
    ),
  seed: count()
    .default(1)
    .describe("Seed of what is made up and of the networks: the same seed gives the same results"),
});
