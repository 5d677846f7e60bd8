import { createHash } from "node:crypto";
import { checkRunId, RunRecord } from "../../../core/run.ts";
import { log } from "../log.ts";

/** Names that begin with "." or "_" are what a writer has not finished, or keeps for itself. */
export const isData = (name: string, ending = "") => !/^[._]/.test(name) && name.endsWith(ending);

/** A run's record as it stands at `place`, or undefined, with a line in the log, when it is none. */
export function readRecord(text: string, run: string, place: string): RunRecord | undefined {
  try {
    const record = RunRecord.parse(JSON.parse(text));
    if (record.run !== run) throw new Error(`it is of run ${record.run}`);
    checkRunId(record.run);
    return record;
  } catch (error) {
    log(`${place} is not the record of a run; it is left out`, error);
    return undefined;
  }
}

export const newestFirst = (records: readonly (RunRecord | undefined)[]): readonly RunRecord[] =>
  records
    .filter((record) => record !== undefined)
    .sort((a, b) => Date.parse(b.started) - Date.parse(a.started) || (a.run < b.run ? 1 : -1));

/** Version of a table that consists of these files: they are never changed once they are written. */
export const versionOf = (files: readonly string[]): string =>
  `${files.length}-${createHash("sha256").update(files.join("\n")).digest("base64url").slice(0, 16)}`;
