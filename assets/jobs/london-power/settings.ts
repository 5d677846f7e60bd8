import { z } from "zod";
import { count } from "../../../core/settings.ts";

/** What Spark and Arrow both read: a folder of this machine, S3, Cloud Storage, or HDFS by way of WebHDFS. */
const ADDRESS = /^(\/|(s3|gs|webhdfs):\/\/)[^/{}][^{}]*$/;

const address = () =>
  z.string().regex(ADDRESS, "expected an absolute path, or an address that begins with s3://, gs:// or webhdfs://");

const ARCHIVE = /\.(zip|gz)$/i;

/** The command that unpacks an archive where it has been copied to; convert.py has more to say of one that it finds. */
const unpack = (text: string): string => {
  const name = `'${text.split("/").at(-1)}'`;
  return /zip$/i.test(text) ? `unzip ${name} -d FOLDER` : `gunzip ${name}`;
};

/** A day that the calendar has, such as "2012-10-01". */
const day = () =>
  z.string().refine((text) => {
    const time = Date.parse(`${text}T00:00:00Z`);
    return !Number.isNaN(time) && new Date(time).toISOString().startsWith(`${text}T`);
  }, 'expected a day such as "2012-10-01"');

export const londonPowerSettings = z.object({
  input: address()
    .refine((text) => !ARCHIVE.test(text), {
      error: ({ input }) =>
        `expected a CSV file or a folder of them, not an archive: unpack it with "${unpack(String(input))}"`,
    })
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
