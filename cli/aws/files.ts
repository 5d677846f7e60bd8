import { regionOf } from "../config.ts";
import { partFiles } from "../far-files.ts";
import type { ClusterCommands, Outputs } from "../platform.ts";
import { Bucket } from "./bucket.ts";
import { explainErrors } from "./client.ts";
import { stepLog } from "./emr/log.ts";

/** A lake on S3 as its files: of stacks whose machines are not on AWS. */
export function s3Files(stack: string, outputs: Outputs) {
  const bucket = new Bucket(String(outputs.lake), regionOf(stack, outputs));
  const log: ClusterCommands["log"] = (run, step, from) => explainErrors(stepLog(bucket, run, step, from, undefined));
  return {
    json: (key: string): Promise<unknown> => explainErrors(bucket.json(key)),
    log,
    partFiles: (run: string, table: string, scratch: string) => explainErrors(partFiles(bucket, run, table, scratch)),
  };
}
