import type { BigQuery } from "@google-cloud/bigquery";
import { z } from "zod";
import { googleError } from "../../../../clients/google.ts";
import { Prefix } from "../../../../core/lake-layout.ts";
import { QueryError } from "../../engine.ts";
import type { LakeIndex } from "../../lake/lake-index.ts";
import { log } from "../../log.ts";
import { call } from "./call.ts";

/** How long it is taken for true that rows are in the dataset, or that they are gone: tables expire, and are made anew. */
const KNOWN_MILLISECONDS = 600_000;
/** A table may be made by the job that loads a run, and clocks are not all the same. */
const SKEW_MILLISECONDS = 60_000;

/** `_loads/<run>.json`, as far as it is of use here. */
const Loads = z.object({
  run: z.string(),
  tables: z.record(z.string(), z.unknown()),
  loaded: z.iso.datetime({ offset: true }).optional(),
});

/** Where the tables are. */
export interface Dataset {
  readonly project: string;
  readonly dataset: string;
}

/** Which runs have their rows in the dataset: those that were loaded, as long as tables are those they were loaded into. */
export class LoadedRuns {
  readonly #client: BigQuery;
  readonly #lake: LakeIndex;
  readonly #dataset: Dataset;
  readonly #tables: readonly string[];
  readonly #known = new Map<string, { readonly isThere: boolean; readonly until: number }>();
  readonly #asking = new Map<string, Promise<boolean>>();

  constructor(client: BigQuery, lake: LakeIndex, dataset: Dataset, tables: readonly string[]) {
    this.#client = client;
    this.#lake = lake;
    this.#dataset = dataset;
    this.#tables = tables;
  }

  /** Whether all of a run's rows are there: the job's tables are listed together, after the run's end. */
  async has(run: string): Promise<boolean> {
    const known = this.#known.get(run);
    if (known && Date.now() < known.until) return known.isThere;
    // A page asks for all of its panels at once.
    const asking = this.#asking.get(run) ?? this.#ask(run).finally(() => this.#asking.delete(run));
    this.#asking.set(run, asking);
    return asking;
  }

  async #ask(run: string): Promise<boolean> {
    if ((await this.#lake.run(run))?.state === "running") return false;
    const loaded = await this.#loaded(run);
    return loaded !== undefined && this.#keep(run, await this.#areFrom(loaded));
  }

  /** A query found that its tables are gone. */
  forget(run: string): void {
    this.#keep(run, false);
  }

  #keep(run: string, isThere: boolean): boolean {
    this.#known.set(run, { isThere, until: Date.now() + KNOWN_MILLISECONDS });
    return isThere;
  }

  /** When that was, 0 where it does not say; undefined when the run was not loaded. */
  async #loaded(run: string): Promise<number | undefined> {
    const key = `${Prefix.loads}/${run}.json`;
    const text = await this.#lake.read(key);
    if (text === undefined) return undefined;
    try {
      const { run: of, tables, loaded } = Loads.parse(JSON.parse(text));
      if (of !== run) throw new Error(`it is of run ${of}`);
      if (!this.#tables.every((name) => name in tables)) return undefined;
      return loaded === undefined ? 0 : Date.parse(loaded);
    } catch (error) {
      log(`${key} does not say what was loaded; the run's files are read instead`, error);
      return undefined;
    }
  }

  /** A table that was made after the run was loaded has later runs alone. */
  async #areFrom(loaded: number): Promise<boolean> {
    if (loaded === 0) return true;
    const made = await Promise.all(this.#tables.map((table) => this.#made(table)));
    return made.every((at) => at < loaded + SKEW_MILLISECONDS);
  }

  /** When a table was made: never, if there is none; always, if that can't be had, as queries tell what is wrong. */
  async #made(table: string): Promise<number> {
    const uri = `/datasets/${this.#dataset.dataset}/tables/${table}`;
    try {
      const { creationTime } = await call<{ readonly creationTime?: string }>(this.#client, "GET", uri, {
        qs: { fields: "creationTime" },
      });
      return Number(creationTime ?? 0);
    } catch (error) {
      return isGone(error) ? Number.POSITIVE_INFINITY : 0;
    }
  }
}

/** Whether a table, or the whole dataset, was not there. */
export function isGone(error: unknown): boolean {
  const cause = error instanceof QueryError ? error.cause : error;
  if (cause === undefined) return false;
  const { code, message } = googleError(cause);
  return code === 404 && /Not found: (?:Table|Dataset)/i.test(message);
}
