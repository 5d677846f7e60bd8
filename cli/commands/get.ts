import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Option } from "commander";
import { fetchParts } from "../../clients/lake/read.ts";
import { Exit, MissingError, quote, UsageError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { answerJson } from "../answer.ts";
import { jsonOption, runOption, type StackOptions, stackOption, withExamples } from "../arguments.ts";
import { type Column, tableLines, widthOf } from "../columns.ts";
import type { OneoffCommand } from "../command.ts";
import { number } from "../described.ts";
import { meantUp } from "../meant-stack.ts";
import { readRecord, StackRuns } from "../runs.ts";
import { type RunTable, tablesOfRun } from "../tables-of-run.ts";

/** What a table can be written as. */
const TableFormat = { csv: "csv", parquet: "parquet" } as const;
type TableFormat = (typeof TableFormat)[keyof typeof TableFormat];

interface Options extends StackOptions {
  readonly run?: string;
  readonly format: TableFormat;
  readonly out?: string;
  readonly json: boolean;
}

export const get: OneoffCommand = {
  describe: (command) =>
    withExamples(
      command
        .argument("[table]", "a table of the run; all are listed when none is given")
        .addOption(stackOption())
        .addOption(runOption())
        .addOption(new Option("--format <format>", "of the file").choices(Object.keys(TableFormat)).default("csv"))
        .option("--out <file>", "the file to write; standard output when not given, or -")
        .addOption(jsonOption("the list of tables as JSON").default(false))
        .action((table: string | undefined, options: Options) =>
          table === undefined ? listTables(options) : getTable(table, options),
        ),
      {
        "oneoff get": "which tables there are",
        "oneoff get models > models.csv": "one, as CSV",
        "oneoff get models --run mon --out m.csv": "of another run, into a file",
      },
      { [Exit.missing]: "there is no such run or table" },
    ),
};

async function listTables({ run, json, out, ...options }: Options): Promise<void> {
  if (out !== undefined) throw new UsageError(`--out is ${quote(out)}, and no table is given: name the one to write`);
  const { stack } = await meantUp(undefined, options);
  const runs = await StackRuns.of(stack);
  const id = await runs.find(run);
  const known = await runs.one(id);
  if (!known) throw await runs.missing(id);
  const tables = await tablesOfRun(runs.lake, id, known.record);
  if (json) {
    const rows = tables.map(({ table, rows = null, digest = null }) => ({ table, rows, digest }));
    return answerJson("get/1", { stack: stack.name, run: id, state: known.state, tables: rows });
  }
  for (const line of tableLines(tables, COLUMNS, widthOf(process.stdout))) console.log(line);
  if (tables.length === 0) console.error(`run ${id} has no tables${known.state === "running" ? " yet" : ""}`);
}

const COLUMNS: readonly Column<RunTable>[] = [
  { head: "TABLE", text: ({ table }) => table },
  { head: "ROWS", text: ({ rows }) => (rows === undefined ? "" : number(rows)), align: "right", rank: 2 },
  { head: "DIGEST", text: ({ digest }) => digest ?? "", rank: 1 },
];

async function getTable(table: string, { run, format, out, json, ...options }: Options): Promise<void> {
  if (json) throw new UsageError(`--json is for the list of tables, and table ${quote(table)} is given: leave one out`);
  if (format === "parquet" && !out)
    throw new UsageError("--format parquet needs --out FILE, or --out - for standard output");
  if (!/^[a-z][a-z0-9_]*$/.test(table)) throw new UsageError(`${quote(table)} is not the name of a table`);
  const { stack } = await meantUp(undefined, options);
  const runs = await StackRuns.of(stack);
  await writeTable(runs, await runs.find(run), table, format, out === "-" ? undefined : out);
}

/**
 * Writes a run's table to a file, or to standard output when `out` is undefined.
 * @throws UsageError when there is no such table, or it can't be written.
 */
async function writeTable(
  runs: StackRuns,
  run: string,
  table: string,
  format: TableFormat,
  out: string | undefined,
): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "oneoff-get-"));
  try {
    const files = await fetchParts(runs.lake, table, run, scratch);
    if (files.length === 0) throw await whyNone(runs, run, table);
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

/** What to say where a run has no such table. */
async function whyNone({ lake }: StackRuns, run: string, table: string): Promise<MissingError> {
  const tables = (await tablesOfRun(lake, run, await readRecord(lake, run))).map((found) => found.table);
  const list = new Intl.ListFormat("en-GB").format(tables);
  const there = tables.length === 0 ? "it has none" : `there ${tables.length === 1 ? "is" : "are"} ${list}`;
  const meant = nearest(table, tables);
  const hint = table === "runs" ? "to list runs: npx --no oneoff runs" : undefined;
  const missing = `run ${run} has no table ${table} in ${lake.address}: ${there}`;
  return new MissingError([missing, meant && `did you mean ${meant}?`, hint].filter(Boolean).join("; "));
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
