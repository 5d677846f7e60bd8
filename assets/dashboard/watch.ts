import { setTimeout as sleep } from "node:timers/promises";
import type { End } from "../../core/ends.ts";
import type { RunRecord } from "../../core/run.ts";
import type { QueryEngine, TableVersions } from "./engine.ts";
import { log } from "./log.ts";

const NOTHING_ENDS = JSON.stringify([]);

/** Who is told of changes. */
export interface Listener {
  readonly runIds: readonly string[];
  runs(records: readonly RunRecord[]): void;
  /** Only the tables that changed. */
  tables(run: string, versions: TableVersions): void;
  ends(ends: readonly End[]): void;
}

/** What a listener knows already. */
interface Known {
  runs?: string;
  ends: string;
  readonly versions: Map<string, string>;
}

interface Sight {
  readonly records: readonly RunRecord[];
  /** The same as text, once for all listeners. */
  readonly runs: string;
  readonly tables: ReadonlyMap<string, TableVersions>;
  readonly ends: readonly End[];
}

/** Looks at the lake for all listeners together, and not at all while there are none. */
export class LakeWatch {
  readonly #engine: QueryEngine;
  readonly #listeners = new Map<Listener, Known>();
  #wake = new AbortController();
  #looking = false;
  /** What went wrong with the last look, so that the log says it once. */
  #trouble = "";

  constructor(engine: QueryEngine) {
    this.#engine = engine;
  }

  /** How many are told of changes. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** The listener is told first how things stand, then of each change. @returns what ends that. */
  subscribe(listener: Listener): () => void {
    this.#listeners.set(listener, { versions: new Map(), ends: NOTHING_ENDS });
    this.#wake.abort();
    if (!this.#looking) void this.#look();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#wake.abort();
    };
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#listeners.size > 0) {
      this.#wake = new AbortController();
      try {
        const sight = await this.#see();
        for (const [listener, known] of this.#listeners) tell(listener, known, sight);
        this.#trouble = "";
      } catch (error) {
        if (this.#trouble !== String(error)) log("The lake could not be looked at; it is tried again", error);
        this.#trouble = String(error);
      }
      await sleep(this.#engine.pollMilliseconds, undefined, { signal: this.#wake.signal }).catch(() => undefined);
    }
    this.#looking = false;
  }

  async #see(): Promise<Sight> {
    const runIds = [...new Set([...this.#listeners.keys()].flatMap((listener) => listener.runIds))];
    const [records, ends, ...versions] = await Promise.all([
      this.#engine.runs(),
      this.#engine.ends?.() ?? [],
      ...runIds.map((run) => this.#engine.versions(run)),
    ]);
    return {
      records,
      runs: JSON.stringify(records),
      tables: new Map(runIds.map((run, i) => [run, versions[i] as TableVersions])),
      ends,
    };
  }
}

function tell(listener: Listener, known: Known, { records, runs, tables, ends }: Sight): void {
  if (runs !== known.runs) {
    known.runs = runs;
    listener.runs(records);
  }
  const text = JSON.stringify(ends);
  if (text !== known.ends) {
    known.ends = text;
    listener.ends(ends);
  }
  for (const run of listener.runIds) {
    const changed = Object.entries(tables.get(run) ?? {}).filter(
      ([table, { version }]) => known.versions.get(`${run}/${table}`) !== version,
    );
    for (const [table, { version }] of changed) known.versions.set(`${run}/${table}`, version);
    if (changed.length > 0) listener.tables(run, Object.fromEntries(changed));
  }
}
