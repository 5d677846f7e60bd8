import { realpath } from "node:fs/promises";
import { type DuckDBConnection, DuckDBInstance, StatementType } from "@duckdb/node-api";
import { FolderStore } from "../../../../clients/lake/folder.ts";
import type { ByteRange, Piece } from "../../../../clients/lake/piece.ts";
import { partKeys } from "../../../../clients/lake/read.ts";
import type { Job } from "../../../../core/job.ts";
import { fill } from "../../../../core/placeholders.ts";
import type { RunRecord } from "../../../../core/run.ts";
import type { Table } from "../../../../core/table.ts";
import { type CallOptions, type QueryEngine, QueryError, type QueryResult, type TableVersions } from "../../engine.ts";
import { LakeIndex } from "../../lake/lake-index.ts";
import { columnsOf } from "./columns.ts";
import { literal, relation } from "./relation.ts";

export interface DuckDbEngineArgs {
  /** The lake's folder, absolute. It need not exist yet. */
  readonly lake: string;
  readonly job: Pick<Job, "name" | "tables">;
}

/** Queries a lake that is a folder, in this process. */
export class DuckDbEngine implements QueryEngine {
  readonly pollMilliseconds = 300;
  readonly #lake: string;
  readonly #job: string;
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #store: FolderStore;
  readonly #index: LakeIndex;
  readonly #working = new Set<Promise<unknown>>();
  #database: Promise<DuckDBInstance> | undefined;
  #closed = false;

  constructor({ lake, job }: DuckDbEngineArgs) {
    this.#lake = lake;
    this.#job = job.name;
    this.#tables = new Map(job.tables.map((table) => [table.name, table]));
    this.#store = new FolderStore(lake);
    this.#index = new LakeIndex(this.#store);
  }

  async runs(): Promise<readonly RunRecord[]> {
    return (await this.#index.runs()).filter((record) => record.job === this.#job);
  }

  async run(run: string): Promise<RunRecord | undefined> {
    const record = await this.#index.run(run);
    return record?.job === this.#job ? record : undefined;
  }

  async versions(run: string): Promise<TableVersions> {
    const names = [...this.#tables.keys()];
    const versions = await Promise.all(names.map((table) => this.#index.version(table, run)));
    return Object.fromEntries(names.map((name, i) => [name, versions[i] as TableVersions[string]]));
  }

  async query(sql: string, run: string, { signal }: CallOptions = {}): Promise<QueryResult> {
    const started = performance.now();
    const text = await this.#withRelations(sql, run);
    try {
      const columns = await this.#use((connection) => select(connection, text, signal));
      const rows = columns[0]?.values.length ?? 0;
      return { columns, rows, statistics: { milliseconds: performance.now() - started } };
    } catch (error) {
      const message = signal?.aborted ? "it took too long" : firstSentence(error as Error, this.#lake);
      throw new QueryError(message, { cause: error });
    }
  }

  log(run: string, step: string, range: ByteRange): Promise<Piece | undefined> {
    return this.#index.log(run, step, range);
  }

  /** Waits for queries that are under way: closing the database under one would end the process. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#working);
    (await this.#database?.catch(() => undefined))?.closeSync();
  }

  async #use<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error("the dashboard is ending");
    const result = this.#lend(work);
    this.#working.add(result);
    const forget = () => this.#working.delete(result);
    result.then(forget, forget);
    return result;
  }

  /** Lends a connection to a database that is opened for the first query: before that there may be no folder to lock it to. */
  async #lend<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    this.#database ??= openLocked(this.#lake);
    const connection = await (await this.#database).connect();
    try {
      return await work(connection);
    } finally {
      connection.closeSync();
    }
  }

  async #withRelations(sql: string, run: string): Promise<string> {
    const relations = new Map<string, string>();
    for (const [name, table] of this.#tables) {
      if (!sql.includes(`{${name}}`)) continue;
      const keys = await partKeys(this.#store, name, run);
      relations.set(
        name,
        relation(
          table,
          keys.map((key) => this.#store.path(key)),
        ),
      );
    }
    return fill(sql, (name) => {
      const found = relations.get(name);
      if (found === undefined) throw new QueryError(`there is no table {${name}}`);
      return found;
    });
  }
}

/**
 * A database that can read this one folder and nothing else, whatever SQL it is given, and can't be talked out of it.
 * (Writing into the folder is not covered by DuckDB's lock; `select` refuses what isn't a SELECT.)
 */
async function openLocked(lake: string): Promise<DuckDBInstance> {
  const root = await realpath(lake).catch(() => lake);
  const database = await DuckDBInstance.create(":memory:", {
    memory_limit: "256MB",
    threads: "2",
    temp_directory: "",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await database.connect();
  try {
    await connection.run("SET GLOBAL TimeZone = 'UTC'");
    await connection.run(`SET GLOBAL allowed_directories = [${literal(root)}, ${literal(lake)}]`);
    await connection.run("SET GLOBAL enable_external_access = false");
    await connection.run("SET GLOBAL lock_configuration = true");
  } finally {
    connection.closeSync();
  }
  return database;
}

async function select(
  connection: DuckDBConnection,
  sql: string,
  signal: AbortSignal | undefined,
): Promise<QueryResult["columns"]> {
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) throw new Error("it must be one SELECT");
  const statement = await statements.prepare(0);
  const stop = () => connection.interrupt();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    signal?.throwIfAborted();
    if (statement.statementType !== StatementType.SELECT) throw new Error("it must be a SELECT");
    return await columnsOf(await statement.stream());
  } finally {
    signal?.removeEventListener("abort", stop);
    statement.destroySync();
  }
}

/** What DuckDB says before it shows the place in the SQL, which is no use to a reader of the page; files as in the lake. */
const firstSentence = ({ message }: Error, lake: string) =>
  (message.replace("Failed to extract statements: ", "").replaceAll(`${lake}/`, "").split("\n")[0] as string).slice(
    0,
    300,
  );
