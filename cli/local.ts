import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { literal } from "../assets/dashboard/duckdb.ts";
import { LakeFolder } from "../assets/dashboard/lake-folder.ts";
import { findRun } from "../assets/local/cluster.ts";
import { layout } from "../assets/local/layout.ts";
import { UsageError } from "../components/core/errors.ts";
import type { ClusterCommands } from "./cluster.ts";

/** The commands of a local cluster: everything is in the lake's folder. */
export function localCommands(lake: string): ClusterCommands {
  const places = layout(lake);
  return {
    status: async (run) => findRun(lake, run)?.status,
    async log(run, step, from) {
      const file = await open(places.log(run, step)).catch(() => undefined);
      if (!file) return { text: "", next: from };
      try {
        const { size } = await file.stat();
        const buffer = Buffer.alloc(Math.max(0, size - from));
        await file.read(buffer, 0, buffer.length, from);
        return { text: buffer.toString("utf8"), next: from + buffer.length };
      } finally {
        await file.close();
      }
    },
    async get(run, table, format, out) {
      const files = await new LakeFolder(lake).partFiles(table, run);
      if (files.length === 0) throw new UsageError(`run ${run} has no table ${table} in ${lake}`);
      // DuckDB writes files only, and not every standard output can be opened as one.
      const scratch = mkdtempSync(join(tmpdir(), "oneoff-get-"));
      const file = out ?? join(scratch, "table");
      const connection = await (await DuckDBInstance.create()).connect();
      const rows = `read_parquet([${files.map(literal).join(", ")}], hive_partitioning = true)`;
      const options = format === "csv" ? "FORMAT csv, HEADER" : "FORMAT parquet, COMPRESSION zstd";
      try {
        await connection.run(`COPY (SELECT * EXCLUDE (run) FROM ${rows}) TO ${literal(file)} (${options})`);
        if (out === undefined) await pipeline(createReadStream(file), process.stdout, { end: false });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EPIPE") return; // the reader has seen enough
        throw new UsageError(
          `table ${table} of run ${run} can't be written to ${out ?? "standard output"}: ${(error as Error).message}`,
        );
      } finally {
        rmSync(scratch, { recursive: true });
      }
    },
  };
}
