import { Prefix } from "../../../core/lake-layout.ts";
import { type LogText, logKey, textOf } from "../../step-log.ts";
import type { Bucket } from "../bucket.ts";

/** A step as EMR knows it. */
export interface EmrStep {
  readonly cluster: string;
  readonly id: string;
  readonly ended: boolean;
}

/**
 * What a step has printed, from a position on. A step that ended before it could write its log has what EMR keeps, which
 * comes some minutes after.
 */
export async function stepLog(
  bucket: Bucket,
  run: string,
  step: string,
  from: number,
  emr: EmrStep | undefined,
): Promise<LogText> {
  const live = await bucket.bytes(logKey(run, step), from);
  return textOf(live ?? (emr?.ended ? (await emrLog(bucket, emr)).subarray(from) : new Uint8Array()), from);
}

async function emrLog(bucket: Bucket, { cluster, id }: EmrStep): Promise<Uint8Array> {
  const folder = `${Prefix.logs}/emr/${cluster}/steps/${id}`;
  const parts = await Promise.all(["stderr.gz", "stdout.gz"].map((name) => bucket.gunzipped(`${folder}/${name}`)));
  return new TextEncoder().encode(parts.filter((part) => part !== "").join("\n"));
}
