import { requirementLines } from "../../core/requirements.ts";
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
 * The pins of a requirements.txt that apply in `environment`.
 *
 * @throws Error for a line that isn't a pin with hashes.
 */
export const readRequirements = (text: string, environment: Environment): readonly Pin[] =>
  requirementLines(text).flatMap((line) => {
    if ("loose" in line) {
      throw new Error(
        `requirements.txt has ${JSON.stringify(line.loose)}: expected name==version with --hash=sha256:...`,
      );
    }
    const { name, version, hashes, marker } = line;
    if (marker !== undefined && !holds(marker, environment)) return [];
    return [{ name: normalize(name), version, hashes: new Set(hashes) }];
  });
