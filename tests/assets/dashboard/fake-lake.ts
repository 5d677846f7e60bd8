import { appendFile, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { RunRecord } from "../../../core/run.ts";

/** A lake in a temporary folder, written as Spark writes one: under a hidden name first, then renamed. */
export class FakeLake {
  readonly path: string;
  readonly #connection: DuckDBConnection;
  #parts = 0;

  private constructor(path: string, connection: DuckDBConnection) {
    this.path = path;
    this.#connection = connection;
  }

  static async create(name = "lake"): Promise<FakeLake> {
    const path = join(await mkdtemp(join(tmpdir(), "oneoff-dashboard-")), name);
    return new FakeLake(path, await (await DuckDBInstance.create()).connect());
  }

  /** Adds a part file with the rows of a SELECT. `below` is the partition's folder. @returns its path. */
  async part(table: string, run: string, select: string, below = ""): Promise<string> {
    this.#parts += 1;
    const name = `part-${String(this.#parts).padStart(5, "0")}.snappy.parquet`;
    const path = join(this.path, table, `run=${run}`, below, name);
    const half = join(dirname(path), `.${name}.half`);
    await mkdir(dirname(path), { recursive: true });
    await this.#connection.run(`COPY (${select}) TO '${half.replaceAll("'", "''")}' (FORMAT parquet)`);
    await rename(half, path);
    return path;
  }

  /** Writes a run's record, in place of an older one. */
  async record(record: Partial<RunRecord> & Pick<RunRecord, "run">): Promise<void> {
    const full = { job: "xo", state: "running", started: "2026-03-01T10:00:00Z", steps: [], ...record };
    const path = join(this.path, "_runs", `${record.run}.json`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.half`, JSON.stringify(full));
    await rename(`${path}.half`, path);
  }

  /** Adds to the log of a step. */
  async log(run: string, step: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.path, "_logs", run, `${step}.log`);
    await mkdir(dirname(path), { recursive: true });
    await appendFile(path, content);
  }

  async remove(): Promise<void> {
    await rm(dirname(this.path), { recursive: true, force: true });
  }
}
