import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { literal } from "../../assets/dashboard/engines/duckdb/engine.ts";
import { UsageError } from "../../core/errors.ts";
import type { TableFormat } from "../options.ts";
import type { ClusterCommands } from "../platform.ts";

/**
 * Writes a run's table to a file, or to standard output when `out` is undefined.
 * @throws UsageError when there is no such table, or it can't be written.
 */
export async function getTable(
  cluster: ClusterCommands,
  run: string,
  table: string,
  format: TableFormat,
  out: string | undefined,
): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "oneoff-get-"));
  try {
    const files = await cluster.partFiles(run, table, scratch);
    if (files.length === 0) throw new UsageError(`run ${run} has no table ${table} in ${cluster.lake}`);
    // DuckDB writes files only, and not every standard output can be opened as one.
    const file = out ?? join(scratch, "table");
    await write(files, format, file, `table ${table} of run ${run} can't be written to ${out ?? "standard output"}`);
    if (out === undefined) await pipeline(createReadStream(file), process.stdout, { end: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error; // else the reader has seen enough
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function write(files: readonly string[], format: TableFormat, file: string, problem: string): Promise<void> {
  const connection = await (await DuckDBInstance.create()).connect();
  const rows = `read_parquet([${files.map(literal).join(", ")}], hive_partitioning = true)`;
  const options = format === "csv" ? "FORMAT csv, HEADER" : "FORMAT parquet, COMPRESSION zstd";
  try {
    await connection.run(`COPY (SELECT * EXCLUDE (run) FROM ${rows}) TO ${literal(file)} (${options})`);
  } catch (error) {
    throw new UsageError(`${problem}: ${(error as Error).message}`);
  } finally {
    connection.closeSync();
  }
}
