import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Option } from "commander";
import { fetchParts } from "../../clients/lake/read.ts";
import type { LakeStore } from "../../clients/lake/store.ts";
import { MissingError, quote, UsageError } from "../../core/errors.ts";
import { checkRunId } from "../../core/run.ts";
import { DEFAULT_STACK } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { attach } from "../registry.ts";
import { stackUp } from "../stack.ts";

/** What a table can be written as. */
const TableFormat = { csv: "csv", parquet: "parquet" } as const;
type TableFormat = (typeof TableFormat)[keyof typeof TableFormat];

interface Options {
  readonly stack: string;
  readonly run?: string;
  readonly format: TableFormat;
  readonly out?: string;
}

export const get: OneoffCommand = {
  describe: (command) =>
    command
      .description("write a table of a run as CSV or Parquet")
      .argument("<table>", "a table of the job")
      .option("--stack <name>", "the stack", DEFAULT_STACK)
      .option("--run <runId>", "the run; the stack's when not given")
      .addOption(new Option("--format <format>", "of the file").choices(Object.keys(TableFormat)).default("csv"))
      .option("--out <file>", "the file to write; standard output when not given")
      .action(async (table: string, { stack, run, format, out }: Options) => {
        if (format === "parquet" && !out) throw new UsageError("--format parquet needs --out FILE");
        if (!/^[a-z][a-z0-9_]*$/.test(table)) throw new UsageError(`${quote(table)} is not the name of a table`);
        const attached = await attach(await stackUp(stack));
        await getTable(attached.lake, checkRunId(run ?? attached.run, "--run"), table, format, out);
      }),
};

/**
 * Writes a run's table to a file, or to standard output when `out` is undefined.
 * @throws UsageError when there is no such table, or it can't be written.
 */
async function getTable(
  lake: LakeStore,
  run: string,
  table: string,
  format: TableFormat,
  out: string | undefined,
): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "oneoff-get-"));
  try {
    const files = await fetchParts(lake, table, run, scratch);
    if (files.length === 0) throw new MissingError(`run ${run} has no table ${table} in ${lake.address}`);
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
  const [{ DuckDBInstance }, { literal }] = await Promise.all([
    import("@duckdb/node-api"),
    import("../../assets/dashboard/engines/duckdb/relation.ts"),
  ]);
  const connection = await (await DuckDBInstance.create()).connect();
  const rows = `read_parquet([${files.map(literal).join(", ")}], hive_partitioning = true)`;
  const options = format === "csv" ? "FORMAT csv, HEADER" : "FORMAT parquet, COMPRESSION zstd";
  try {
    await connection.run(`COPY (SELECT * EXCLUDE (run) FROM ${rows}) TO ${literal(file)} (${options})`);
  } catch (error) {
    throw new UsageError(`${problem}: ${(error as Error).message.split("\n")[0]}`);
  } finally {
    connection.closeSync();
  }
}
