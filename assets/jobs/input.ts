/** What jobs are told to read, and whether a cluster is to let its machines read it. */
import { z } from "zod";
import { canBeRead } from "../../core/job.ts";

/** What Spark and Arrow both read: a folder of this machine, S3, Cloud Storage, or HDFS by way of WebHDFS. */
const ADDRESS = /^(\/|(s3|gs|webhdfs):\/\/)[^/{}][^{}]*$/;

export const address = () =>
  z.string().regex(ADDRESS, "expected an absolute path, or an address that begins with s3://, gs:// or webhdfs://");

const ARCHIVE = /\.(zip|gz)$/i;

/** The command that unpacks an archive where it has been copied to; a step has more to say of one that it finds. */
const unpack = (text: string): string => {
  const name = `'${text.split("/").at(-1)}'`;
  return /zip$/i.test(text) ? `unzip ${name} -d FOLDER` : `gunzip ${name}`;
};

/** An address of files that are no archive. @param wanted what they are instead: "a CSV file or a folder of them". */
export const unpackedAddress = (wanted: string) =>
  address().refine((text) => !ARCHIVE.test(text), {
    error: ({ input }) => `expected ${wanted}, not an archive: unpack it with "${unpack(String(input))}"`,
  });

/** Not a bucket of Google's: it may be public, and then nobody but its owner can make a grant, nor is there need of one. */
export const isGranted = (input: string): boolean => canBeRead(input) && !input.startsWith("gs://");
