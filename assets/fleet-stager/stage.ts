import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { manifestKey } from "../../core/lake-layout.ts";
import { retry } from "../../core/retry.ts";
import { AT_ONCE, copyFile, eachOf } from "../wheels/copy.ts";
import { lister, refuseCredentials } from "../wheels/package-index.ts";
import { statusOf } from "../wheels/s3-store.ts";
import type { WheelStore } from "../wheels/store.ts";
import type { Staged, Staging } from "./event.ts";
import { filesOf, type Source } from "./files.ts";
import { log } from "./log.ts";

/** What the stager works with. */
export interface Context {
  readonly store: WheelStore;
  /** How long this invocation may still last. */
  readonly remainingMs: () => number;
  /** How long a new role may be unknown to S3: what it denies meanwhile is asked again. */
  readonly patienceMs: number;
}

/** What is left of an invocation's time for ending uploads and saying so. */
const RESERVE_MS = 30_000;

/**
 * Puts into the lake what manifests name, and then the manifests. Each file lies by its SHA-256, so what is there is right and stays.
 *
 * @throws Error that says what is missing; what was put there is there at the next call.
 */
export async function stage(context: Context, wanted: Staging): Promise<Staged> {
  const { store } = context;
  refuseCredentials("packageIndex", wanted.packageIndex);
  refuseCredentials("maven", wanted.maven);
  const inTime = AbortSignal.timeout(Math.max(1, context.remainingMs() - RESERVE_MS));
  await retry(() => store.exists(manifestKey("0")), {
    isTransient: (error) => statusOf(error) === 403,
    patienceMs: context.patienceMs,
    pauseMs: 1000,
  });
  const manifests = await resolve(context, wanted, inTime);
  const sources = new Map(Object.values(manifests).flatMap((all) => all.map((one) => [one.entry.key, one])));
  const copied = await copyMissing(store, [...sources.values()].sort(sourcesFirst), inTime);
  const digests = await Promise.all(
    Object.entries(manifests).map(async ([name, all]) => {
      return [name, await write(store, JSON.stringify(all.map(({ entry }) => entry)))] as const;
    }),
  );
  const staged: Staged = { manifests: Object.fromEntries(digests), files: sources.size, ...copied };
  log(copied.copied > 0 ? "staged" : "nothing to do", { ...staged });
  return staged;
}

/** A package's source goes through for the longest time. */
const sourcesFirst = ({ entry: a }: Source, { entry: b }: Source) =>
  Number(b.kind === "sdist") - Number(a.kind === "sdist");

/** The files of each manifest. */
async function resolve({ store }: Context, wanted: Staging, inTime: AbortSignal) {
  const from = { store, maven: wanted.maven, files: lister(wanted.packageIndex, inTime) };
  const found: Record<string, Source[]> = {};
  for (const [name, parts] of Object.entries(wanted.manifests)) {
    const all: Source[] = [];
    for (const [part, contents] of Object.entries(parts)) all.push(...(await filesOf(from, part, contents)));
    found[name] = all;
  }
  return found;
}

async function copyMissing(store: WheelStore, sources: readonly Source[], inTime: AbortSignal) {
  let [there, copied, bytes] = [0, 0, 0];
  try {
    await eachOf(sources, AT_ONCE, async ({ entry: { key, name, sha256, kind }, url }) => {
      inTime.throwIfAborted();
      if (await store.exists(key)) {
        there += 1;
        return;
      }
      if (url === undefined) throw new Error(`${store.address(key)} is missing: "pulumi up" puts it there`);
      const [began, lock] = [Date.now(), kind === "jar" ? "jars.txt" : "requirements.txt"];
      const size = await copyFile(store, key, { name, url, hashes: new Set([sha256]), lock }, inTime);
      log("copied", { key, bytes: size, ms: Date.now() - began });
      copied += 1;
      bytes += size;
    });
  } catch (error) {
    const left = sources.length - there - copied;
    log("ended early", { there, copied, bytes, left, reason: (error as Error).message });
    const done = `${there + copied} of ${sources.length} files are in the lake, ${copied} of them by this call; "pulumi up" goes on`;
    const why = inTime.aborted ? "the time of this call is over" : (error as Error).message;
    throw new Error(`${why} (${done})`);
  }
  return { copied, bytes };
}

/** A manifest, at its digest. @returns that. */
async function write(store: WheelStore, text: string): Promise<string> {
  const content = Buffer.from(text);
  const digest = createHash("sha256").update(content).digest("hex");
  const key = manifestKey(digest);
  if (!(await store.exists(key))) {
    await store.put(key, Readable.from([content], { objectMode: false }), content.length, new AbortController().signal);
  }
  return digest;
}
