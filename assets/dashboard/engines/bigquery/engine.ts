import { setTimeout as sleep } from "node:timers/promises";
import type { BigQuery } from "@google-cloud/bigquery";
import { bigQueryClient, storageClient } from "../../../../clients/google.ts";
import { GcsStore } from "../../../../clients/lake/gcs.ts";
import type { Job } from "../../../../core/job.ts";
import { Label, labelValue } from "../../../../core/labels.ts";
import { placeholders } from "../../../../core/placeholders.ts";
import { QueryError, type QueryResult } from "../../engine.ts";
import { BucketEngine } from "../bucket-engine.ts";
import { ScanBudget } from "../scan-budget.ts";
import { overLimit, refused } from "./errors.ts";
import { isGone, LoadedRuns } from "./loaded.ts";
import { type Filled, overDataset, overFiles } from "./relations.ts";
import { billed, dryRun, type Execution, type Expected, execute } from "./run.ts";

export interface BigQueryEngineArgs {
  /** Project in which queries run. */
  readonly project: string;
  /** Of dataset and bucket, such as "europe-west1" or "EU". */
  readonly location: string;
  /** `gs://` and the name of the bucket. */
  readonly lake: string;
  /** Dataset in which the job's tables are. */
  readonly dataset: string;
  /** Bytes that queries may be billed for in a day (UTC), as far as this process knows. */
  readonly dailyScanBytes: number;
  /** Bytes that one query may be billed for. */
  readonly queryLimitBytes: number;
  readonly job: Pick<Job, "name" | "tables">;
}

/** How long a result waits for what a dry run says of it. */
const EXPECTED_MILLISECONDS = 1000;

/** What a query may be billed for, taken off the day's share. */
interface Share {
  readonly most: number;
  readonly count: (bytes: number) => void;
}

/** Queries a lake on Google Cloud Storage, by BigQuery: tables of runs that were loaded, files of all others. */
export class BigQueryEngine extends BucketEngine {
  readonly #args: BigQueryEngineArgs;
  readonly #client: BigQuery;
  readonly #budget: ScanBudget;
  readonly #loaded: LoadedRuns;
  /** What queries of runs that were loaded read, by their text: that stays as it is. */
  readonly #expected = new Map<string, Promise<Expected>>();

  constructor(args: BigQueryEngineArgs) {
    super(new GcsStore(args.lake, storageClient(args.project)), args.job);
    this.#args = args;
    this.#client = bigQueryClient(args.project, args.location);
    this.#budget = new ScanBudget(args.dailyScanBytes);
    this.#loaded = new LoadedRuns(this.#client, this.lake, args, [...this.tables.keys()]);
  }

  protected override async answer(sql: string, run: string, signal: AbortSignal): Promise<QueryResult> {
    const started = performance.now();
    const filled = await this.look(() => this.#withRelations(sql, run));
    try {
      return await this.#answer(filled, run, signal, started);
    } catch (error) {
      if (!filled.isDataset || !isGone(error)) throw error;
      // Tables expire; files stay.
      this.#loaded.forget(run);
      return this.#answer(await this.look(() => this.#withRelations(sql, run)), run, signal, started);
    }
  }

  protected override refused(error: unknown): QueryError {
    return refused(error, "storage.objects.list or storage.objects.get", this.#args);
  }

  async #answer(filled: Filled, run: string, signal: AbortSignal, started: number): Promise<QueryResult> {
    const labels = { [Label.lake]: labelValue(this.#args.lake.slice("gs://".length)), [Label.run]: labelValue(run) };
    const expected = this.#expect(filled, labels);
    const share = await this.#share(filled, expected);
    const { columns, bytesScanned } = await this.#execute(filled, labels, share, signal);
    const soon = sleep(EXPECTED_MILLISECONDS, undefined, { ref: false });
    const said = await Promise.race([expected.catch(() => undefined), soon]);
    return {
      columns,
      rows: columns[0]?.values.length ?? 0,
      statistics: {
        milliseconds: performance.now() - started,
        bytesScanned,
        ...(said?.isMost && { bytesExpected: said.bytes }),
      },
    };
  }

  async #withRelations(sql: string, run: string): Promise<Filled> {
    const { project, dataset, lake } = this.#args;
    if (await this.#loaded.has(run)) return overDataset(sql, this.tables, run, `${project}.${dataset}`);
    const names = [...new Set(placeholders(sql))];
    const versions = await Promise.all(names.map((name) => this.lake.version(name, run)));
    const empty = names.filter((_, i) => versions[i]?.updated === undefined);
    return overFiles(sql, this.tables, run, lake, new Set(empty));
  }

  #expect(filled: Filled, labels: Readonly<Record<string, string>>): Promise<Expected> {
    const { text, definitions } = filled;
    const known = this.#expected.get(text);
    if (known) return known;
    const expected = dryRun(this.#client, { ...this.#args, filled, labels });
    const isKept = filled.tables > 0 && Object.keys(definitions).length === 0;
    if (isKept) this.#expected.set(text, expected);
    // The query itself says what is wrong with it.
    expected.catch(() => this.#expected.delete(text));
    return expected;
  }

  /**
   * As long as the day's share has room for the most that one query may be billed for, nobody waits for the dry run: its
   * answer only gives back what the query won't need. With less room it is asked first.
   */
  async #share({ tables }: Filled, expected: Promise<Expected>): Promise<Share> {
    const { queryLimitBytes: limit, dailyScanBytes } = this.#args;
    const needs = ({ bytes }: Expected) => billed(bytes, tables);
    const { left } = this.#budget;
    if (left >= limit || left <= 0) {
      const count = this.#budget.take(limit);
      let isCounted = false;
      const give = (said: Expected) => !isCounted && said.isMost && count(Math.min(limit, needs(said)));
      void expected.then(give, () => undefined);
      return {
        most: limit,
        count(bytes) {
          isCounted = true;
          count(bytes);
        },
      };
    }
    const said = await expected;
    const room = this.#budget.left; // others may have begun or ended meanwhile
    if (room > 0 && needs(said) > room) {
      throw new QueryError(
        `it would be billed for ${needs(said)} bytes, and of the ${dailyScanBytes} that the dashboard may scan in a day (dailyScanBytes) ${room} are left until 00:00 UTC`,
      );
    }
    const most = Math.min(limit, said.isMost ? needs(said) : room);
    return { most, count: this.#budget.take(most) };
  }

  async #execute(
    filled: Filled,
    labels: Readonly<Record<string, string>>,
    share: Share,
    signal: AbortSignal,
  ): Promise<Execution> {
    try {
      return await execute(this.#client, { ...this.#args, ...share, filled, labels, signal });
    } catch (error) {
      const needed = overLimit(error instanceof QueryError ? error.cause : error);
      if (needed === undefined) throw error;
      const { queryLimitBytes: limit } = this.#args;
      throw new QueryError(
        share.most < limit
          ? `it would be billed for ${needed} bytes, more than is left of what the dashboard may scan in a day (dailyScanBytes)`
          : `it would be billed for ${needed} bytes, more than a query may (queryLimitBytes is ${limit}); read fewer columns or rows, or raise the limit`,
        { cause: error },
      );
    }
  }
}
