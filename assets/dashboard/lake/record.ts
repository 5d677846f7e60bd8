import { checkRunId, RunRecord } from "../../../core/run.ts";
import { log } from "../log.ts";

/** A run's record as it stands at `place`; undefined when the run was removed and, with a line in the log, when it is none. */
export function readRecord(text: string, run: string, place: string): RunRecord | undefined {
  try {
    const record = RunRecord.parse(JSON.parse(text));
    if (record.run !== run) throw new Error(`it is of run ${record.run}`);
    checkRunId(record.run);
    return record.removed === undefined ? record : undefined;
  } catch (error) {
    log(`${place} is not the record of a run; it is left out`, error);
    return undefined;
  }
}

export const newestFirst = (records: readonly (RunRecord | undefined)[]): readonly RunRecord[] =>
  records
    .filter((record) => record !== undefined)
    .sort((a, b) => Date.parse(b.started) - Date.parse(a.started) || (a.run < b.run ? 1 : -1));
