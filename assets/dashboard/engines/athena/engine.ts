import { AthenaClient } from "@aws-sdk/client-athena";
import { S3Client } from "@aws-sdk/client-s3";
import { readJson } from "../../../../clients/lake/read.ts";
import { S3Store } from "../../../../clients/lake/s3.ts";
import type { LakeStore } from "../../../../clients/lake/store.ts";
import type { End } from "../../../../core/ends.ts";
import { endsOf, fleetKeys, ReaperReport } from "../../../../core/fleet-lake.ts";
import type { Job } from "../../../../core/job.ts";
import { fill } from "../../../../core/placeholders.ts";
import type { RunRecord } from "../../../../core/run.ts";
import type { Table } from "../../../../core/table.ts";
import type { QueryError, QueryResult } from "../../engine.ts";
import { BucketEngine } from "../bucket-engine.ts";
import { LEAST, ScanBudget } from "../scan-budget.ts";
import { refused } from "./errors.ts";
import { AthenaResults } from "./results.ts";
import { type Execution, execute } from "./run.ts";

export interface AthenaEngineArgs {
  readonly region: string;
  /** `s3://` and the name of the bucket. */
  readonly lake: string;
  /** Database of the catalog in which the job's tables are. */
  readonly database: string;
  readonly workgroup: string;
  /** Bytes that queries may be billed for in a day (UTC), as far as this process knows. */
  readonly dailyScanBytes: number;
  /** Name of a fleet whose end is told. @default none */
  readonly fleet?: string | undefined;
  readonly job: Pick<Job, "name" | "tables">;
}

/** The most that Athena takes. */
const REUSE_MINUTES = 7 * 24 * 60;

/** The reaper looks every 5 minutes. */
const ENDS_MILLISECONDS = 60_000;

/** Queries a lake on Amazon S3, by Amazon Athena. */
export class AthenaEngine extends BucketEngine {
  readonly #args: AthenaEngineArgs;
  readonly #athena: AthenaClient;
  readonly #results: AthenaResults;
  readonly #budget: ScanBudget;
  readonly #store: LakeStore;
  #ends: { readonly read: number; readonly ends: readonly End[] } | undefined;

  constructor(args: AthenaEngineArgs) {
    const s3 = new S3Client(clientConfig(args.region));
    const store = new S3Store(args.lake, s3);
    super(store, args.job);
    this.#store = store;
    this.#args = args;
    this.#athena = new AthenaClient(clientConfig(args.region));
    this.#results = new AthenaResults(this.#athena, s3, args);
    this.#budget = new ScanBudget(args.dailyScanBytes);
  }

  async ends(): Promise<readonly End[]> {
    const { fleet } = this.#args;
    if (fleet === undefined) return [];
    if (this.#ends && performance.now() - this.#ends.read < ENDS_MILLISECONDS) return this.#ends.ends;
    const told = await this.look(() => readJson(this.#store, fleetKeys(fleet).reaper));
    const report = ReaperReport.safeParse(told).data;
    const ends = report ? endsOf(report) : [];
    this.#ends = { read: performance.now(), ends };
    return ends;
  }

  override async close(): Promise<void> {
    await super.close();
    this.#athena.destroy();
  }

  protected override async answer(sql: string, run: string, signal: AbortSignal): Promise<QueryResult> {
    const started = performance.now();
    const reuseMinutes = reusable(await this.look(() => this.lake.run(run)));
    const execution: Execution = await execute(this.#athena, {
      ...this.#args,
      text: this.#withRelations(sql, run),
      reuseMinutes,
      signal,
      count: this.#budget.take(LEAST),
    });
    const columns = await this.#results.columns(sql, execution, signal);
    const rows = columns[0]?.values.length ?? 0;
    const { bytesScanned } = execution;
    return { columns, rows, statistics: { milliseconds: performance.now() - started, bytesScanned } };
  }

  protected override refused(error: unknown): QueryError {
    return refused(error, "s3:ListBucket or s3:GetObject", this.#args);
  }

  /** The same text for the same panel and run, whatever there is to read: Athena knows a query again by its text. */
  #withRelations(sql: string, run: string): string {
    return fill(sql, (name) => {
      const { columns } = this.tables.get(name) as Table;
      const names = columns.map((column) => `"${column.name}"`).join(", ");
      return `(SELECT ${names} FROM "${this.#args.database}"."${name}" WHERE run = '${run}')`;
    });
  }
}

/**
 * How old a result may be to be used again. Athena knows a result's age, not whether tables have changed since: so only
 * results that came after the run's end will do, with a minute for clocks that differ. Undefined when none will.
 */
function reusable(record: RunRecord | undefined): number | undefined {
  if (!record?.ended || record.state === "running") return undefined;
  const minutes = Math.floor((Date.now() - Date.parse(record.ended)) / 60_000) - 1;
  return minutes < 1 ? undefined : Math.min(minutes, REUSE_MINUTES);
}

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
