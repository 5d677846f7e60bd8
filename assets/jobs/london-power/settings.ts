import { z } from "zod";
import { count } from "../../../core/settings.ts";
import { address, unpackedAddress } from "../input.ts";

/** A day that the calendar has, such as "2012-10-01". */
const day = () =>
  z.string().refine((text) => {
    const time = Date.parse(`${text}T00:00:00Z`);
    return !Number.isNaN(time) && new Date(time).toISOString().startsWith(`${text}T`);
  }, 'expected a day such as "2012-10-01"');

export const londonPowerSettings = z.object({
  input: unpackedAddress("a CSV file or a folder of them")
    .optional()
    .describe(
      "The published readings: a CSV file, or a folder with such files in it or below, by absolute path or s3://, gs:// or webhdfs:// address; made up when not set",
    ),
  acorn: address()
    .optional()
    .describe(
      "The households' Acorn groups, for readings published without: a CSV file with the columns LCLid, Acorn and Acorn_grouped, where `input` is; unknown when not set",
    ),
  households: count().default(100).describe("Households to make up, where there is no `input`"),
  days: count().default(60).describe("Days to make up"),
  start: day()
    .default("2012-10-01")
    .describe("First day to make up; with the default the clocks go back within the 60 days"),
  seed: count().default(1).describe("Seed of what is made up and of the models: the same seed gives the same results"),
});
