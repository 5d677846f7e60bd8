import { Readable } from "node:stream";
import type { ArchiveStore } from "./store.ts";
import { listZip, type ZipEntry, ZipReader } from "./zip-read.ts";
import { ZipWriter } from "./zip-write.ts";

/**
 * Makes one zip of what wheels install: a folder to import from, where nothing can be installed. Their bytes stay packed
 * as they are and pass through a little at a time, however large they are; the same wheels give the same bytes.
 *
 * @param wheels keys of the wheels.
 * @throws Error that names the wheel that can't be read.
 */
export async function archiveWheels(
  store: ArchiveStore,
  wheels: readonly string[],
  archive: string,
  signal: AbortSignal,
): Promise<void> {
  const content = Readable.from(pieces(store, [...wheels].sort()), { objectMode: false });
  try {
    await store.put(archive, content, undefined, signal);
  } finally {
    content.destroy();
  }
}

async function* pieces(store: ArchiveStore, wheels: readonly string[]): AsyncGenerator<Buffer> {
  const zip = new ZipWriter();
  const names = new Set<string>();
  for (const wheel of wheels) {
    try {
      yield* piecesOf(store, wheel, zip, names);
    } catch (error) {
      throw new Error(`${store.address(wheel)} can't be put into an archive: ${(error as Error).message}`);
    }
  }
  yield zip.end();
}

async function* piecesOf(
  store: ArchiveStore,
  wheel: string,
  zip: ZipWriter,
  names: Set<string>,
): AsyncGenerator<Buffer> {
  const source = (start: number) => store.read(wheel, start);
  const reader = new ZipReader(source);
  try {
    for (const entry of await listZip(source, await store.size(wheel))) {
      const name = installedAs(entry);
      // Packages may share a folder and its __init__.py.
      if (name === undefined || names.has(name)) continue;
      names.add(name);
      yield zip.begin({ ...entry, name });
      yield* reader.packed(entry);
    }
    await reader.end();
  } finally {
    await reader.close();
  }
}

/**
 * Where a file of a wheel belongs below site-packages; undefined for folders, and for what goes elsewhere
 * (https://packaging.python.org/en/latest/specifications/binary-distribution-format/#the-data-directory).
 */
function installedAs({ name }: ZipEntry): string | undefined {
  if (name.endsWith("/")) return undefined;
  if (name.startsWith("/") || name.split("/").includes("..")) throw new Error(`its file ${name} lies outside of it`);
  const [top = "", scheme = "", ...rest] = name.split("/");
  if (!top.endsWith(".data")) return name;
  return scheme === "purelib" || scheme === "platlib" ? rest.join("/") : undefined;
}
