/** What a manifest names, and where each file comes from. */
import { basename } from "node:path/posix";
import { Prefix, softwareKey } from "../../core/lake-layout.ts";
import { AT_ONCE, eachOf } from "../wheels/copy.ts";
import { nodeEnvironment } from "../wheels/markers.ts";
import { chooseFile, type IndexFile } from "../wheels/package-index.ts";
import { type Pin, readRequirements } from "../wheels/requirements.ts";
import type { WheelStore } from "../wheels/store.ts";
import type { Contents, Entry, Staging } from "./event.ts";

/** Fleets are x86_64 alone (ADR 18). */
const ARCHITECTURE = "x86_64";

/** An entry, and where it is had from. */
export interface Source {
  readonly entry: Entry;
  /** Undefined for a file of our own, which the stack puts there. */
  readonly url?: string;
}

export interface Sources {
  readonly store: WheelStore;
  readonly maven: Staging["maven"];
  /** Files of a package in the index. */
  readonly files: (name: string) => Promise<readonly IndexFile[]>;
}

/** The files of a part, in the same order each time. @throws Error that names what can't be had. */
export async function filesOf(from: Sources, part: string, contents: Contents): Promise<readonly Source[]> {
  const { files = {}, jars, requirements, sources } = contents;
  const found = [
    ...Object.entries(files).map(([name, key]) => own(part, name, key)),
    ...(jars === undefined ? [] : jarsIn(part, await from.store.readText(jars), from.maven)),
    ...(requirements === undefined ? [] : await packagesIn(from, part, requirements, sources)),
  ];
  return found.sort(({ entry: a }, { entry: b }) => (a.name < b.name ? -1 : 1));
}

function own(part: string, name: string, key: string): Source {
  const [prefix, sha256 = "", file] = key.split("/");
  if (prefix !== Prefix.software || file !== basename(name)) throw new Error(`${name} can't lie at ${key}`);
  return { entry: { part, kind: "script", name, key, sha256 } };
}

const jarsIn = (part: string, lock: string, maven: string): readonly Source[] =>
  lock
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, sha256, path] = /^([0-9a-f]{64}) +(\S+)$/.exec(line.trim()) ?? [];
      if (sha256 === undefined || path === undefined) {
        throw new Error(`jars.txt has ${JSON.stringify(line)}: expected a SHA-256 and a path`);
      }
      const name = basename(path);
      const url = `${maven.replace(/\/+$/, "")}/${path}`;
      return { entry: { part, kind: "jar", name, key: softwareKey(sha256, name), sha256 }, url };
    });

async function packagesIn({ store, files }: Sources, part: string, lock: string, sources = false) {
  const pins = readRequirements(await store.readText(lock), nodeEnvironment(ARCHITECTURE));
  const found: Source[] = [];
  await eachOf(pins, AT_ONCE, async (pin) => {
    const { name, url, sha256 = only(pin) } = chooseFile(await files(pin.name), pin, ARCHITECTURE, sources);
    const kind = name.endsWith(".whl") ? "wheel" : "sdist";
    found.push({ entry: { part, kind, name, key: softwareKey(sha256, name), sha256 }, url });
  });
  return found;
}

/** Where the index doesn't tell the hash of a file, and one alone is allowed. */
function only({ name, version, hashes }: Pin): string {
  const [hash, ...others] = hashes;
  if (hash !== undefined && others.length === 0) return hash;
  throw new Error(`${name} ${version}: the package index tells no hashes, and requirements.txt allows several`);
}
