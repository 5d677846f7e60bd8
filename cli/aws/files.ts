import { basename } from "node:path";
import type { ClusterCommands, Outputs } from "../cluster.ts";
import { regionOf } from "../config.ts";
import { Bucket } from "./bucket.ts";
import { telling } from "./client.ts";
import { stepLog } from "./log.ts";

/** A lake on S3 as its files: of stacks whose machines are not on AWS. */
export function s3Files(stack: string, outputs: Outputs) {
  const bucket = new Bucket(String(outputs.lake), regionOf(stack, outputs));
  const log: ClusterCommands["log"] = (run, step, from) => telling(stepLog(bucket, run, step, from, undefined));
  return {
    json: (key: string): Promise<unknown> => telling(bucket.json(key)),
    log,
    partFiles: (run: string, table: string, scratch: string) => telling(partFiles(bucket, run, table, scratch)),
  };
}

/** Fetches the part files of a run's table; resolves to their paths. */
export async function partFiles(
  bucket: Bucket,
  run: string,
  table: string,
  scratch: string,
): Promise<readonly string[]> {
  const keys = await bucket.keys(`${table}/run=${run}/`);
  return bucket.download(keys.filter(isPartFile), scratch);
}

/** Names that begin with "." or "_" are what a writer has not finished, or keeps for itself. */
const isPartFile = (key: string): boolean =>
  basename(key).endsWith(".parquet") && key.split("/").every((part) => !/^[._]/.test(part));
