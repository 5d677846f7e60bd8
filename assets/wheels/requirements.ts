import { type Environment, holds } from "./markers.ts";

/** One line of a locked requirements.txt that applies. */
export interface Pin {
  /** Normalized: lower case, "-" between words. */
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the files that are allowed, hexadecimal. */
  readonly hashes: ReadonlySet<string>;
}

/** As package indexes spell a name (PEP 503). */
export const normalize = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, "-");

/**
 * The pins of a requirements.txt that apply in `environment`: `name==version --hash=sha256:...`, as pip-compile and
 * uv write them.
 *
 * @throws Error for a line that isn't a pin with hashes.
 */
export function readRequirements(text: string, environment: Environment): readonly Pin[] {
  const lines = text
    .replace(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");
  return lines.map((line) => readLine(line, environment)).filter((pin) => pin !== undefined);
}

function readLine(line: string, environment: Environment): Pin | undefined {
  const hashes = [...line.matchAll(/\s--hash=sha256:([0-9a-f]{64})\b/g)].map((match) => match[1] as string);
  const requirement = line.replace(/\s--hash=\S+/g, "").trim();
  const match = /^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;*]+)\s*(?:;\s*(.+))?$/.exec(requirement);
  if (!match || hashes.length === 0) {
    throw new Error(
      `requirements.txt has ${JSON.stringify(requirement)}: expected name==version with --hash=sha256:...`,
    );
  }
  const [, name = "", version = "", marker] = match;
  if (marker !== undefined && !holds(marker, environment)) return undefined;
  return { name: normalize(name), version, hashes: new Set(hashes) };
}
