import { createHash } from "node:crypto";
import type { ByteRange, Piece } from "../../../clients/lake/piece.ts";
import { isData, isPart, readText, tablePrefix } from "../../../clients/lake/read.ts";
import type { LakeStore, Listed } from "../../../clients/lake/store.ts";
import { logKey, Prefix } from "../../../core/lake-layout.ts";
import { checkRunId, type RunRecord } from "../../../core/run.ts";
import type { TableVersion } from "../engine.ts";
import { newestFirst, readRecord } from "./record.ts";

/** Those who ask within this time share one answer: each is billed, and a page asks for all of its panels at once. */
const SHARED_MILLISECONDS = 1000;
/** A task that was stopped with its run may still have been writing. */
const SETTLED_MILLISECONDS = 60_000;

const RUNS = `${Prefix.runs}/`;

/** A lake's run records and part files, and nothing of what is in them. A folder is asked anew each time. */
export class LakeIndex {
  readonly #store: LakeStore;
  readonly #records = new Map<string, { readonly etag: string; readonly record: RunRecord | undefined }>();
  readonly #shared = new Map<string, { readonly asked: number; readonly answer: Promise<unknown> }>();
  readonly #versions = new Map<string, TableVersion>();
  /** Those of runs that are over: asked for once. */
  readonly #settled = new Map<string, TableVersion>();

  constructor(store: LakeStore) {
    this.#store = store;
  }

  /** Newest first. A file that is not a run record is left out, and the log says so once. */
  runs(): Promise<readonly RunRecord[]> {
    return this.#share(RUNS, async () => {
      const found = (await this.#store.list(RUNS)).filter(({ key }) => runOf(key) !== undefined);
      return newestFirst(await Promise.all(found.map((file) => this.#record(file))));
    });
  }

  /** As it was seen last, if it was: once a run has ended its record stays as it is. */
  async run(run: string): Promise<RunRecord | undefined> {
    const key = `${RUNS}${checkRunId(run)}.json`;
    return this.#records.get(key)?.record ?? (await this.runs()).find((record) => record.run === run);
  }

  async version(table: string, run: string): Promise<TableVersion> {
    const prefix = tablePrefix(table, run);
    const settled = this.#settled.get(prefix);
    if (settled) return settled;
    // Looked up first: what is listed after a run has ended is all there will be.
    const final = this.#store.isFar && isSettled(await this.run(run));
    const version = await this.#share(prefix, () => this.#version(prefix));
    if (final) this.#settled.set(prefix, version);
    return version;
  }

  /** Text of a small file, such as `_loads/<run>.json`; undefined when there is none. */
  read(key: string): Promise<string | undefined> {
    return this.#share(`${key} `, () => readText(this.#store, key));
  }

  /** Bytes of a step's log; undefined when there is none. A log grows, so each who asks is told anew. */
  log(run: string, step: string, range: ByteRange): Promise<Piece | undefined> {
    return this.#store.piece(logKey(checkRunId(run), step), range);
  }

  close(): void {
    this.#store.close();
  }

  async #version(prefix: string): Promise<TableVersion> {
    const known = this.#versions.get(prefix);
    // Files never change once they are written, so their times are asked for only when there are others than before.
    if (known && !this.#store.isFar && known.version === versionOf(await this.#store.keys(prefix))) return known;
    const parts = (await this.#store.list(prefix)).filter(({ key }) => isPart(key));
    const version = {
      version: versionOf(parts.map(({ key }) => key)),
      ...(parts.length > 0 && { updated: new Date(Math.max(...parts.map(({ modified }) => modified))).toISOString() }),
    };
    this.#versions.set(prefix, version);
    return version;
  }

  async #record({ key, etag }: Listed): Promise<RunRecord | undefined> {
    const known = this.#records.get(key);
    if (known?.etag === etag) return known.record;
    const text = await readText(this.#store, key).catch((error: Error) => {
      if (this.#store.isFar) throw error;
      return `unreadable: ${error.message}`;
    });
    if (text === undefined) return undefined;
    const record = readRecord(text, runOf(key) as string, key);
    this.#records.set(key, { etag, record });
    return record;
  }

  #share<T>(key: string, ask: () => Promise<T>): Promise<T> {
    if (!this.#store.isFar) return ask();
    const now = performance.now();
    const known = this.#shared.get(key);
    if (known && now - known.asked < SHARED_MILLISECONDS) return known.answer as Promise<T>;
    const answer = ask();
    this.#shared.set(key, { asked: now, answer });
    answer.catch(() => this.#shared.delete(key));
    return answer;
  }
}

/** The run that a key would be the record of; undefined when it is no record's. */
function runOf(key: string): string | undefined {
  const name = key.slice(RUNS.length);
  return !name.includes("/") && name.endsWith(".json") && isData(name) ? name.slice(0, -".json".length) : undefined;
}

/** Version of a table of which these are the files: they are never changed once they are written. */
function versionOf(keys: readonly string[]): string {
  const parts = keys.filter(isPart);
  return `${parts.length}-${createHash("sha256").update(parts.join("\n")).digest("base64url").slice(0, 16)}`;
}

/** Whether nothing more is written for a run. */
function isSettled(record: RunRecord | undefined): boolean {
  if (record?.state === undefined || record.state === "running" || record.ended === undefined) return false;
  return Date.now() - Date.parse(record.ended) >= SETTLED_MILLISECONDS;
}
