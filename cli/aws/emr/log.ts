import { gunzipSync } from "node:zlib";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { logKey, Prefix } from "../../../core/lake-layout.ts";
import { type LogText, textOf } from "../../step-log.ts";

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
export async function logOf(
  lake: LakeStore,
  run: string,
  step: string,
  from: number,
  emr: EmrStep | undefined,
): Promise<LogText> {
  const live = await lake.bytes(logKey(run, step), from);
  return textOf(live ?? (emr?.ended ? (await emrLog(lake, emr)).subarray(from) : new Uint8Array()), from);
}

async function emrLog(lake: LakeStore, { cluster, id }: EmrStep): Promise<Uint8Array> {
  const folder = `${Prefix.logs}/emr/${cluster}/steps/${id}`;
  const parts = await Promise.all(["stderr.gz", "stdout.gz"].map((name) => gunzipped(lake, `${folder}/${name}`)));
  return new TextEncoder().encode(parts.filter((part) => part !== "").join("\n"));
}

/** The text of a gzip file. One that was cut off, or is none, is empty. */
export async function gunzipped(lake: LakeStore, key: string): Promise<string> {
  const bytes = await lake.bytes(key);
  try {
    return bytes ? gunzipSync(bytes).toString("utf8") : "";
  } catch {
    return "";
  }
}
