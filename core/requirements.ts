/** One line of a locked requirements.txt. */
export interface PinnedLine {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the files that are allowed, hexadecimal. */
  readonly hashes: readonly string[];
  /** Where it applies, as PEP 508 has it. @default everywhere */
  readonly marker?: string;
}

/** What is on a line that pins nothing. */
export interface LooseLine {
  readonly loose: string;
}

/** The lines of a requirements.txt: `name==version --hash=sha256:...`, as pip-compile and uv write them, or what else is there. */
export const requirementLines = (text: string): readonly (PinnedLine | LooseLine)[] =>
  text
    .replace(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "")
    .map(readLine);

function readLine(line: string): PinnedLine | LooseLine {
  const hashes = [...line.matchAll(/\s--hash=sha256:([0-9a-f]{64})\b/g)].map((match) => match[1] as string);
  const loose = line.replace(/\s--hash=\S+/g, "").trim();
  const match = /^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*==(?!=)\s*([^\s;*]+)\s*(?:;\s*(.+))?$/.exec(loose);
  if (!match || hashes.length === 0) return { loose };
  const [, name = "", version = "", marker] = match;
  return { name, version, hashes, ...(marker !== undefined && { marker }) };
}
