/** The rooms of the house and the imports between them. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import ts from "typescript";

/** From the roof to the ground. A room imports what lies below its floor: never what lies above, nor beside. */
export const FLOORS: readonly (readonly string[])[] = [
  ["cli"],
  ["engine"],
  ["index.ts"],
  ["stacks"],
  ["provider", "components/aws", "components/gcp", "components/docker"],
  ["components/local", "components/index.ts"],
  ["components/common"],
  [
    "assets/dashboard",
    "assets/dataproc-orchestrator",
    "assets/driver",
    "assets/emr-launcher",
    "assets/fleet-members",
    "assets/fleet-stager",
    "assets/jobs",
    "assets/reaper",
  ],
  ["assets/wheels", "assets/manifest.ts", "assets/template.ts"],
  ["clients"],
  ["core"],
];

export interface Import {
  readonly from: string;
  /** A file of ours, or the name of a package. */
  readonly to: string;
}

/** Files of the product, and what each imports: types too, since they tie as much. */
export function importsIn(root: string): { readonly files: readonly string[]; readonly imports: readonly Import[] } {
  const folders = [...new Set(FLOORS.flat().map((room) => room.split("/")[0] as string))];
  const patterns = folders.map((folder) => (folder.endsWith(".ts") ? folder : `${folder}/**/*.{ts,mjs}`));
  const files = globSync(patterns, { cwd: root })
    .map((file) => file.replaceAll("\\", "/"))
    .sort();
  const imports = files.flatMap((from) =>
    ts.preProcessFile(readFileSync(join(root, from), "utf8")).importedFiles.map(({ fileName }) => ({
      from,
      to: fileName.startsWith(".") ? join(dirname(from), fileName) : packageOf(fileName),
    })),
  );
  return { files, imports };
}

const packageOf = (target: string): string =>
  target.startsWith("node:") ? target : target.split("/", target.startsWith("@") ? 2 : 1).join("/");

/** The room that a file is in; undefined where it is in none. */
export const roomOf = (file: string): string | undefined =>
  FLOORS.flat().find((room) => file === room || file.startsWith(`${room}/`));

/** 0 is the roof. */
export const floorOf = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room));

/** Files that import each other, directly or through others: each circle once. */
export function circlesIn(imports: readonly Import[]): readonly (readonly string[])[] {
  const next = new Map<string, Set<string>>();
  for (const { from, to } of imports) next.set(from, (next.get(from) ?? new Set()).add(to));
  const reached = (start: string): Set<string> => {
    const seen = new Set<string>();
    const waiting = [...(next.get(start) ?? [])];
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (seen.has(file)) continue;
      seen.add(file);
      waiting.push(...(next.get(file) ?? []));
    }
    return seen;
  };
  const reach = new Map([...next.keys()].map((file) => [file, reached(file)]));
  const circles = [...reach]
    .filter(([file, seen]) => seen.has(file))
    .map(([file, seen]) => [...seen].filter((other) => reach.get(other)?.has(file)).sort());
  return [...new Map(circles.map((circle) => [circle.join(), circle])).values()];
}

/** The house as a Mermaid flowchart; what a room reaches through another has no arrow of its own. */
export function drawing(imports: readonly Import[]): string {
  const below = new Map(FLOORS.flat().map((room) => [room, new Set<string>()]));
  for (const { from, to } of imports) {
    const [upper, lower] = [roomOf(from), roomOf(to)];
    if (upper && lower && upper !== lower) below.get(upper)?.add(lower);
  }
  const reaches = (room: string, target: string): boolean =>
    [...(below.get(room) ?? [])].some((next) => next === target || reaches(next, target));
  const arrows = [...below].flatMap(([room, rooms]) =>
    [...rooms]
      .filter((target) => ![...rooms].some((other) => other !== target && reaches(other, target)))
      .sort()
      .map((target) => `  ${room} --> ${target}`),
  );
  return ["```mermaid", "flowchart TD", ...arrows, "```"].join("\n");
}
