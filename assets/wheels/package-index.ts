import { retry } from "../../core/retry.ts";
import type { Pin } from "./requirements.ts";
import { fitness } from "./wheel-name.ts";

/** A file that an index offers for a package. */
export interface IndexFile {
  readonly name: string;
  readonly url: string;
  /** Hexadecimal; undefined when the index doesn't tell. */
  readonly sha256: string | undefined;
}

const ACCEPT =
  "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1, */*;q=0.01";

/**
 * The files of a package in a simple index, as JSON (PEP 691) or as HTML (PEP 503).
 *
 * @throws Error when the index can't be reached or doesn't have the package.
 */
export async function listFiles(index: string, name: string, signal?: AbortSignal): Promise<readonly IndexFile[]> {
  const response = await get(`${index.replace(/\/+$/, "")}/${name}/`, { Accept: ACCEPT }, signal);
  if (response.status === 404) throw new Error(`the package index ${index} has no package ${name}`);
  if (!response.ok) throw new Error(`the package index ${index} answers ${response.status} for ${name}`);
  const text = await response.text();
  const json = /\bjson\b/.test(response.headers.get("content-type") ?? "");
  return json ? readJson(text, response.url) : readHtml(text, response.url);
}

/** {@link listFiles} of an index, which is asked once for each package. */
export function lister(index: string, signal?: AbortSignal): (name: string) => Promise<readonly IndexFile[]> {
  const pages = new Map<string, Promise<readonly IndexFile[]>>();
  return (name) => {
    const page = pages.get(name) ?? listFiles(index, name, signal);
    pages.set(name, page);
    return page;
  };
}

/**
 * The wheel of `pin` that fits the nodes best.
 *
 * @param sources whether its source will do where there is none.
 * @throws Error when none does.
 */
export function chooseFile(
  files: readonly IndexFile[],
  pin: Pin,
  architecture: "arm64" | "x86_64",
  sources = false,
): IndexFile {
  const version = pin.version.toLowerCase();
  const allowed = files.filter((file) =>
    // Without a digest from the index the name has to do until the file is there.
    file.sha256 === undefined ? file.name.split("-")[1]?.toLowerCase() === version : pin.hashes.has(file.sha256),
  );
  const fitting = allowed
    .map((file) => ({ file, fit: fitness(file.name, pin.name, architecture) }))
    .filter((one): one is { file: IndexFile; fit: number } => one.fit !== undefined)
    .sort((a, b) => b.fit - a.fit || (a.file.name < b.file.name ? 1 : -1));
  const source = sources ? allowed.find(({ name }) => name.endsWith(".tar.gz")) : undefined;
  const chosen = fitting[0]?.file ?? source;
  if (!chosen) {
    const why = allowed.length > 0 ? "no wheel that fits" : "no file with one of the hashes in requirements.txt";
    throw new Error(
      `${pin.name} ${pin.version} for Python 3.11 on ${architecture} Linux: the package index has ${why}`,
    );
  }
  return chosen;
}

const TRIES = 3;

/** GET with several attempts, for networks that hiccup. @throws Error that says what was not reached, and why. */
export async function get(url: string, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  refuseCredentials("packageIndex", url);
  const ask = async (attempt: number): Promise<Response> => {
    const response = await fetch(url, { headers, signal: signal ?? null });
    const { status, body } = response;
    if (attempt === TRIES || (status < 500 && status !== 429)) return response;
    await body?.cancel();
    throw new Error(`it answers ${status}`);
  };
  try {
    return await retry(ask, { isTransient: () => !signal?.aborted, tries: TRIES, pauseMs: (failed) => failed * 500 });
  } catch (error) {
    throw new Error(`${url} can't be reached: ${reason(error)}`);
  }
}

/** @throws Error for an address that has them. @param what argument it is. */
export function refuseCredentials(what: string, address: string): void {
  if (/^https?:\/\/[^/]*@/.test(address)) {
    throw new Error(`${what} holds credentials, which would be kept in plain state`);
  }
}

function reason(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? `${(cause as NodeJS.ErrnoException).code ?? cause.name} ${cause.message}` : message;
}

interface JsonPage {
  readonly files: readonly { filename: string; url: string; hashes?: Readonly<Record<string, string>> }[];
}

const readJson = (text: string, base: string): readonly IndexFile[] =>
  (JSON.parse(text) as JsonPage).files.map(({ filename, url, hashes }) => ({
    name: filename,
    url: new URL(url, base).href,
    sha256: hashes?.sha256,
  }));

function readHtml(text: string, base: string): readonly IndexFile[] {
  return [...text.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)].map((match) => {
    const url = new URL(unescapeHtml(match[1] ?? match[2] ?? ""), base);
    const sha256 = /^#(?:.*&)?sha256=([0-9a-f]{64})/.exec(url.hash)?.[1];
    url.hash = "";
    return { name: decodeURIComponent(url.pathname.split("/").pop() ?? ""), url: url.href, sha256 };
  });
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#43": "+" };
const unescapeHtml = (text: string) => text.replace(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
