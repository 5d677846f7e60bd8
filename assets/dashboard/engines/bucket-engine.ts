import { setTimeout as sleep } from "node:timers/promises";
import type { ByteRange, Piece } from "../../../clients/lake/piece.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import type { Job } from "../../../core/job.ts";
import { placeholders } from "../../../core/placeholders.ts";
import { checkRunId, type RunRecord } from "../../../core/run.ts";
import type { Table } from "../../../core/table.ts";
import { type CallOptions, type QueryEngine, QueryError, type QueryResult, type TableVersions } from "../engine.ts";
import { LakeIndex } from "../lake/lake-index.ts";

/** How long the end waits for queries to be stopped: the service may be out of reach. */
const LAST_MILLISECONDS = 5000;

const SELECT = /^(?:\s|--.*\n|\/\*[\s\S]*?\*\/|\()*(?:SELECT|WITH)\b/i;

/** Queries a lake that is a bucket, by a service that bills for what it reads. */
export abstract class BucketEngine implements QueryEngine {
  readonly pollMilliseconds = 5000;
  protected readonly lake: LakeIndex;
  protected readonly tables: ReadonlyMap<string, Table>;
  readonly #job: string;
  readonly #working = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(store: LakeStore, job: Pick<Job, "name" | "tables">) {
    this.lake = new LakeIndex(store);
    this.#job = job.name;
    this.tables = new Map(job.tables.map((table) => [table.name, table]));
  }

  /** Runs a query that was found to be a SELECT of the job's tables; stops it when `signal` is aborted. */
  protected abstract answer(sql: string, run: string, signal: AbortSignal): Promise<QueryResult>;

  /** A call to the bucket that was refused, or did not get there. */
  protected abstract refused(error: unknown): QueryError;

  async runs(): Promise<readonly RunRecord[]> {
    const records = await this.look(() => this.lake.runs());
    return records.filter((record) => record.job === this.#job);
  }

  async run(run: string): Promise<RunRecord | undefined> {
    const record = await this.look(() => this.lake.run(run));
    return record?.job === this.#job ? record : undefined;
  }

  async versions(run: string): Promise<TableVersions> {
    checkRunId(run);
    const names = [...this.tables.keys()];
    const versions = await this.look(() => Promise.all(names.map((table) => this.lake.version(table, run))));
    return Object.fromEntries(names.map((name, i) => [name, versions[i] as TableVersions[string]]));
  }

  async query(sql: string, run: string, { signal }: CallOptions = {}): Promise<QueryResult> {
    checkRunId(run);
    if (!SELECT.test(sql)) throw new QueryError("it must be a SELECT");
    const unknown = placeholders(sql).find((name) => !this.tables.has(name));
    if (unknown !== undefined) throw new QueryError(`there is no table {${unknown}}`);
    if (this.#closing.signal.aborted) throw new QueryError("the dashboard is ending");
    const either = AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]);
    const result = this.answer(sql, run, either).catch((error: unknown) => {
      throw either.aborted ? new QueryError(ended(either.reason), { cause: error }) : error;
    });
    this.#working.add(result);
    const forget = () => this.#working.delete(result);
    result.then(forget, forget);
    return result;
  }

  log(run: string, step: string, range: ByteRange): Promise<Piece | undefined> {
    return this.look(() => this.lake.log(run, step, range));
  }

  /** Stops queries that are under way: what nobody will read need not be billed. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.race([Promise.allSettled(this.#working), sleep(LAST_MILLISECONDS, undefined, { ref: false })]);
    this.lake.close();
  }

  protected async look<T>(look: () => Promise<T>): Promise<T> {
    try {
      return await look();
    } catch (error) {
      throw this.refused(error);
    }
  }
}

const ended = (reason: unknown) =>
  (reason as Error | undefined)?.name === "TimeoutError" ? "it took too long and was stopped" : "it was cancelled";
