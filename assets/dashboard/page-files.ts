import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Body, type Encoding, encode } from "./body.ts";

const TYPES = {
  "index.html": "text/html; charset=utf-8",
  "style.css": "text/css; charset=utf-8",
  "page.js": "text/javascript; charset=utf-8",
  "vega.js": "text/javascript; charset=utf-8",
  "icon.svg": "image/svg+xml",
} as const;
type PageFile = keyof typeof TYPES;

/** Where the page was built to: beside this file when published, else where `build.ts` puts it by default. */
export function pageFolder(): string {
  const beside = join(import.meta.dirname, "page");
  return existsSync(join(beside, "page.js")) ? beside : join(import.meta.dirname, "../../.oneoff/page");
}

/** The built page: five files and no others, so no path is ever looked up on disk. */
export class PageFiles {
  readonly #folder: string;
  readonly #encoded = new Map<string, Promise<Body>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  static has(name: string): name is PageFile {
    return Object.hasOwn(TYPES, name);
  }

  /** Changes when the page is built anew. */
  async version(): Promise<string> {
    const contents = await Promise.all(Object.keys(TYPES).map((name) => this.#read(name as PageFile)));
    return contents.reduce((hash, content) => hash.update(content), createHash("sha256")).digest("base64url");
  }

  async file(
    name: PageFile,
    encoding: Encoding,
  ): Promise<{ readonly type: string; readonly etag: string; readonly body: Body }> {
    const content = await this.#read(name);
    const etag = `W/"${createHash("sha256").update(content).digest("base64url").slice(0, 22)}"`;
    const key = `${etag} ${encoding}`;
    const body = this.#encoded.get(key) ?? encode([content], encoding);
    this.#encoded.set(key, body);
    return { type: TYPES[name], etag, body: await body };
  }

  #read(name: PageFile): Promise<Buffer> {
    return readFile(join(this.#folder, name));
  }
}
