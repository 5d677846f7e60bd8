import { setTimeout as sleep } from "node:timers/promises";
import { AthenaClient } from "@aws-sdk/client-athena";
import { S3Client } from "@aws-sdk/client-s3";
import { fill, type Job } from "../../components/job/job.ts";
import { checkRunId, type RunRecord } from "../../components/job/run.ts";
import type { Table } from "../../components/job/table.ts";
import { ScanBudget } from "./athena-budget.ts";
import { refused } from "./athena-errors.ts";
import { AthenaResults } from "./athena-results.ts";
import { type Execution, execute } from "./athena-run.ts";
import { type CallOptions, type QueryEngine, QueryError, type QueryResult, type TableVersions } from "./engine.ts";
import { LakeBucket } from "./lake-bucket.ts";

export interface AthenaEngineArgs {
  readonly region: string;
  /** `s3://` and the name of the bucket. */
  readonly lake: string;
  /** Database of the catalog in which the job's tables are. */
  readonly database: string;
  readonly workgroup: string;
  /** Bytes that queries may be billed for in a day (UTC), as far as this process knows. */
  readonly dailyScanBytes: number;
  readonly job: Pick<Job, "name" | "tables">;
}

/** How long the end waits for queries to be stopped: AWS may be out of reach. */
const LAST_MILLISECONDS = 5000;
/** The most that Athena takes. */
const REUSE_MINUTES = 7 * 24 * 60;

/** Queries a lake that is a bucket, by Amazon Athena. */
export class AthenaEngine implements QueryEngine {
  readonly pollMilliseconds = 5000;
  readonly #args: AthenaEngineArgs;
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #athena: AthenaClient;
  readonly #s3: S3Client;
  readonly #bucket: LakeBucket;
  readonly #results: AthenaResults;
  readonly #budget: ScanBudget;
  readonly #working = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(args: AthenaEngineArgs) {
    this.#args = args;
    this.#tables = new Map(args.job.tables.map((table) => [table.name, table]));
    this.#athena = new AthenaClient(clientConfig(args.region));
    this.#s3 = new S3Client(clientConfig(args.region));
    this.#bucket = new LakeBucket(this.#s3, args.lake.slice("s3://".length));
    this.#results = new AthenaResults(this.#athena, this.#s3, args);
    this.#budget = new ScanBudget(args.dailyScanBytes);
  }

  async runs(): Promise<readonly RunRecord[]> {
    const records = await this.#look(() => this.#bucket.runs());
    return records.filter((record) => record.job === this.#args.job.name);
  }

  async versions(run: string): Promise<TableVersions> {
    checkRunId(run);
    const names = [...this.#tables.keys()];
    const versions = await this.#look(() => Promise.all(names.map((table) => this.#bucket.version(table, run))));
    return Object.fromEntries(names.map((name, i) => [name, versions[i] as TableVersions[string]]));
  }

  async query(sql: string, run: string, { signal }: CallOptions = {}): Promise<QueryResult> {
    const text = this.#withRelations(sql, checkRunId(run));
    if (this.#closing.signal.aborted) throw new QueryError("the dashboard is ending");
    const either = AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]);
    const result = this.#answer(sql, text, run, either).catch((error: unknown) => {
      throw either.aborted ? new QueryError(ended(either.reason), { cause: error }) : error;
    });
    this.#working.add(result);
    const forget = () => this.#working.delete(result);
    result.then(forget, forget);
    return result;
  }

  /** Stops queries that are under way: what nobody will read need not be billed. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.race([Promise.allSettled(this.#working), sleep(LAST_MILLISECONDS, undefined, { ref: false })]);
    this.#athena.destroy();
    this.#s3.destroy();
  }

  async #answer(sql: string, text: string, run: string, signal: AbortSignal): Promise<QueryResult> {
    const started = performance.now();
    const reuseMinutes = reusable(await this.#look(() => this.#bucket.run(run)));
    const execution: Execution = await execute(this.#athena, {
      ...this.#args,
      text,
      reuseMinutes,
      signal,
      count: this.#budget.take(),
    });
    const columns = await this.#results.columns(sql, execution, signal);
    const rows = columns[0]?.values.length ?? 0;
    const { bytesScanned } = execution;
    return { columns, rows, statistics: { milliseconds: performance.now() - started, bytesScanned } };
  }

  async #look<T>(look: () => Promise<T>): Promise<T> {
    try {
      return await look();
    } catch (error) {
      throw refused(error, "s3:ListBucket or s3:GetObject", this.#args);
    }
  }

  /** The same text for the same panel and run, whatever there is to read: Athena knows a query again by its text. */
  #withRelations(sql: string, run: string): string {
    if (!SELECT.test(sql)) throw new QueryError("it must be a SELECT");
    return fill(sql, (name) => {
      const table = this.#tables.get(name);
      if (!table) throw new QueryError(`there is no table {${name}}`);
      const columns = table.columns.map((column) => `"${column.name}"`).join(", ");
      return `(SELECT ${columns} FROM "${this.#args.database}"."${name}" WHERE run = '${run}')`;
    });
  }
}

const SELECT = /^(?:\s|--.*\n|\/\*[\s\S]*?\*\/|\()*(?:SELECT|WITH)\b/i;

/**
 * How old a result may be to be used again. Athena knows a result's age, not whether tables have changed since: so only
 * results that came after the run's end will do, with a minute for clocks that differ. Undefined when none will.
 */
function reusable(record: RunRecord | undefined): number | undefined {
  if (!record?.ended || record.state === "running") return undefined;
  const minutes = Math.floor((Date.now() - Date.parse(record.ended)) / 60_000) - 1;
  return minutes < 1 ? undefined : Math.min(minutes, REUSE_MINUTES);
}

const ended = (reason: unknown) =>
  (reason as Error | undefined)?.name === "TimeoutError" ? "it took too long and was stopped" : "it was cancelled";

/** Connections stay open between requests; what is throttled is tried again ever more slowly. */
const clientConfig = (region: string) => ({
  region,
  retryMode: "adaptive",
  maxAttempts: 5,
  requestHandler: {
    connectionTimeout: 3000,
    requestTimeout: 20_000,
    throwOnRequestTimeout: true,
    httpAgent: { keepAlive: true, maxSockets: 50 },
    httpsAgent: { keepAlive: true, maxSockets: 50 },
  },
});
