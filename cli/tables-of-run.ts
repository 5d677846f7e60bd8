import { isData, isPart, tablePrefix } from "../clients/lake/read.ts";
import type { LakeStore } from "../clients/lake/store.ts";
import type { RunRecord } from "../core/run.ts";

/** A table of a run. */
export interface RunTable {
  readonly table: string;
  /** As its record has it. @default the run has not succeeded, or not yet */
  readonly rows?: number;
  readonly digest?: string;
}

/** The tables that a run has left so far. */
export async function tablesOfRun(
  lake: LakeStore,
  run: string,
  record: RunRecord | undefined,
): Promise<readonly RunTable[]> {
  const recorded = Object.entries(record?.tables ?? {}).map(([table, { rows, digest }]) => ({ table, rows, digest }));
  if (recorded.length > 0) return recorded.sort((a, b) => (a.table < b.table ? -1 : 1));
  const found = await filesOfTables(lake, run);
  return found.filter(({ keys }) => keys.some(isPart)).map(({ table }) => ({ table }));
}

/** Files of a run by the folders of tables that there are, its own or not. */
export async function filesOfTables(
  lake: LakeStore,
  run: string,
): Promise<readonly { readonly table: string; readonly keys: readonly string[] }[]> {
  const tables = (await lake.folders()).filter(isData);
  return Promise.all(tables.map(async (table) => ({ table, keys: await lake.keys(tablePrefix(table, run)) })));
}
