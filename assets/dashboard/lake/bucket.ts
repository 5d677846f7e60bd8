import { Prefix } from "../../../core/lake-layout.ts";
import { checkRunId, type RunRecord } from "../../../core/run.ts";
import type { TableVersion } from "../engine.ts";
import { isData, newestFirst, readRecord, versionOf } from "./lake.ts";
import type { LakeObjects, Listed } from "./objects.ts";

/** Those who ask within this time share one listing: each is billed, and a page asks for all of its panels at once. */
const SHARED_MILLISECONDS = 1000;
/** A task that was stopped with its run may still have been writing. */
const SETTLED_MILLISECONDS = 60_000;

/** A lake that is a bucket: its run records and part files, and nothing of what is in them. */
export class LakeBucket {
  readonly #objects: LakeObjects;
  readonly #records = new Map<string, { readonly etag: string; readonly record: RunRecord | undefined }>();
  readonly #shared = new Map<string, { readonly asked: number; readonly answer: Promise<unknown> }>();
  /** Versions of runs that are over: asked for once. */
  readonly #settled = new Map<string, TableVersion>();

  constructor(objects: LakeObjects) {
    this.#objects = objects;
  }

  /** Newest first. An object that is not a run record is left out, and the log says so once. */
  runs(): Promise<readonly RunRecord[]> {
    return this.#share(Prefix.runs, async () => {
      const prefix = `${Prefix.runs}/`;
      const found = (await this.#objects.list(prefix)).filter(({ key }) => {
        const name = key.slice(prefix.length);
        return !name.includes("/") && isData(name, ".json");
      });
      return newestFirst(await Promise.all(found.map((object) => this.#record(object, prefix))));
    });
  }

  /** As it was seen last, if it was: once a run has ended its record stays as it is. */
  async run(run: string): Promise<RunRecord | undefined> {
    const name = `${Prefix.runs}/${checkRunId(run)}.json`;
    return this.#records.get(name)?.record ?? (await this.runs()).find((record) => record.run === run);
  }

  async version(table: string, run: string): Promise<TableVersion> {
    const prefix = `${table}/run=${checkRunId(run)}/`;
    const settled = this.#settled.get(prefix);
    if (settled) return settled;
    // Looked up first: what is listed after a run has ended is all there will be.
    const final = isSettled(await this.run(run));
    const version = await this.#share(prefix, () => this.#version(prefix));
    if (final) this.#settled.set(prefix, version);
    return version;
  }

  /** Text of a small object, such as `_loads/<run>.json`; undefined when there is none. */
  read(key: string): Promise<string | undefined> {
    return this.#share(`${key} `, () => this.#objects.read(key));
  }

  close(): void {
    this.#objects.close();
  }

  async #version(prefix: string): Promise<TableVersion> {
    const parts = (await this.#objects.list(prefix)).filter(({ key }) => {
      const path = key.slice(prefix.length).split("/");
      return path.every((name) => isData(name)) && key.endsWith(".parquet");
    });
    const version = versionOf(parts.map(({ key }) => key).sort());
    if (parts.length === 0) return { version };
    return { version, updated: new Date(Math.max(...parts.map(({ modified }) => modified))).toISOString() };
  }

  async #record({ key, etag }: Listed, prefix: string): Promise<RunRecord | undefined> {
    const known = this.#records.get(key);
    if (known?.etag === etag) return known.record;
    const text = await this.#objects.read(key);
    if (text === undefined) return undefined;
    const record = readRecord(text, key.slice(prefix.length, -".json".length), key);
    this.#records.set(key, { etag, record });
    return record;
  }

  #share<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const now = performance.now();
    const known = this.#shared.get(key);
    if (known && now - known.asked < SHARED_MILLISECONDS) return known.answer as Promise<T>;
    const answer = ask();
    this.#shared.set(key, { asked: now, answer });
    answer.catch(() => this.#shared.delete(key));
    return answer;
  }
}

/** Whether nothing more is written for a run. */
function isSettled(record: RunRecord | undefined): boolean {
  if (record?.state === undefined || record.state === "running" || record.ended === undefined) return false;
  return Date.now() - Date.parse(record.ended) >= SETTLED_MILLISECONDS;
}
