import { createInterface } from "node:readline/promises";
import { quote, UsageError } from "../../core/errors.ts";
import { aws, google } from "../cloud.ts";
import { googleProjectOf, googleRegionOf, regionOf, type StackFiles, stackFiles } from "../config.ts";
import type { Leftover } from "../platform.ts";
import { type Cloud, cloudsOf } from "../program.ts";

export interface LeftoversOptions {
  /** Remove what is found. */
  readonly delete: boolean;
  /** Without asking. */
  readonly yes: boolean;
  /** Buckets of the lakes whose things are meant, and "none" for what names none. @default all, where there are not two */
  readonly lake: readonly string[];
}

/** Says what is left of a stack after its destroy; resolves to whether that is nothing. */
export async function leftovers(stack: string, options: LeftoversOptions): Promise<boolean> {
  const { find, where, shared } = await searchOf(stack);
  const everybodys = await find();
  const choice = choose(everybodys, options.lake);
  const found = everybodys.filter(choice.has);
  const left = found.filter((item) => !item.kept);
  for (const line of listing(found, choice.lakes)) console.log(line);
  const others = everybodys.filter((item) => !item.kept && !choice.has(item)).length;
  if (others > 0) console.log(`${count(others)} of another lake, or ${others === 1 ? "names" : "name"} none.`);
  const what = `stack ${stack}${others > 0 ? ` with lake ${choice.wanted.join(" and ")}` : ""}${where}`;
  if (left.length === 0) {
    console.log(found.length === 0 ? `Nothing is left of ${what}.` : `Nothing else is left of ${what}.`);
    return true;
  }
  const only = choice.lakes.length === 1 ? ` (lake ${choice.lakes[0]})` : "";
  console.log(
    `${count(left.length)} left of ${what}${only}${options.delete ? "" : `; ${cure(stack, choice, left.length)}`}.`,
  );
  if (!options.delete) return false;
  checkChosen(choice, options, shared);
  if (!options.yes && !(await agreed(left, shared))) return false;
  await removeAll(left);
  const still = (await find()).filter((item) => !item.kept && choice.has(item));
  for (const item of still) console.log(describe(item));
  console.log(still.length === 0 ? `Nothing is left of ${what}.` : `${still.length} could not be removed.`);
  return still.length === 0;
}

/** @throws UsageError when it isn't said whose things are to be removed, and nobody is asked. */
function checkChosen({ lakes, wanted }: Choice, { yes }: LeftoversOptions, shared: boolean): void {
  if (wanted.length > 0) return;
  if (lakes.length > 1) throw new UsageError(`--delete would be for ${describeLakes(lakes)}`);
  const [lake] = lakes;
  if (yes && lake !== undefined) {
    throw new UsageError(`--yes would not ask whether lake ${quote(lake)} is yours: say so by --lake ${lake}`);
  }
  if (yes && shared) {
    throw new UsageError(
      `--yes would not ask whether what names no lake is yours, and no other person's with a stack of this name: say so by --lake ${NONE}`,
    );
  }
}

/** How the things of a stack are looked for. */
interface Search {
  readonly find: () => Promise<readonly Leftover[]>;
  /** Where that is, to follow the stack's name. @default "": as its settings say */
  readonly where: string;
  /** Whether another person's stack of the same name may be there, whose things can't be told from this one's. */
  readonly shared: boolean;
}

const SEARCHES: Readonly<Record<Cloud, (stack: string) => Promise<Search>>> = {
  async aws(stack) {
    const { findLeftovers } = await aws();
    return { find: () => findLeftovers(stack), where: "", shared: false };
  },
  async gcp(stack) {
    const { findLeftovers } = await google();
    const where = ` in project ${googleProjectOf(stack)}, region ${googleRegionOf(stack)}`;
    return { find: () => findLeftovers(stack), where, shared: true };
  },
  async docker(stack) {
    const { findDockerLeftovers } = await import("../docker/leftovers.ts");
    return { find: () => findDockerLeftovers(stack), where: "", shared: false };
  },
};

/** Looks wherever things of a stack may be. What is on this machine alone ends with its destroy. */
async function searchOf(stack: string): Promise<Search> {
  const files = stackFiles(stack);
  const clouds = files.bundled ? await cloudsOf(files) : ownClouds(files);
  const searches = await Promise.all(clouds.map((cloud) => SEARCHES[cloud](stack)));
  return {
    find: async () => (await Promise.all(searches.map(({ find }) => find()))).flat(),
    where: searches.map(({ where }) => where).join(""),
    shared: searches.some(({ shared }) => shared),
  };
}

/**
 * What a program of the user's own makes is not known here: it is looked for in the clouds that the stack's settings name,
 * else in those that the environment names, and else in Docker.
 */
function ownClouds({ stack, config }: StackFiles): readonly Cloud[] {
  const set = (["aws:region", "gcp:project"] as const).filter((key) => config[key] !== undefined);
  if (set.length > 0) return set.map((key) => (key === "aws:region" ? "aws" : "gcp"));
  const here: readonly Cloud[] = [
    ...(isKnown(() => regionOf(stack)) ? (["aws"] as const) : []),
    ...(isKnown(() => googleProjectOf(stack)) ? (["gcp"] as const) : []),
  ];
  return here.length > 0 ? here : ["docker"];
}

function isKnown(find: () => string): boolean {
  try {
    return find() !== "";
  } catch {
    return false;
  }
}

/** As a lake: what names none. */
const NONE = "none";

/** Whose things are meant, where two people have a stack of one name in one account. */
interface Choice {
  /** All that something is left of. */
  readonly lakes: readonly string[];
  /** Those that were asked for. */
  readonly wanted: readonly string[];
  readonly has: (item: Leftover) => boolean;
}

/** What names no lake may be anybody's: it is meant when all lakes are, or by "none". @throws UsageError for a lake that has nothing. */
function choose(items: readonly Leftover[], given: readonly string[]): Choice {
  // One that was kept on purpose is nobody else's for that.
  const left = items.filter(({ kept }) => !kept).map(({ lake }) => lake);
  const lakes = [...new Set(left.filter((lake) => lake !== undefined))].sort();
  const wanted = [...new Set(given.map((lake) => lake.replace(/^(?:s3|gs):\/\/([^/]*).*$/, "$1")))];
  const unknown = items.length > 0 ? wanted.find((lake) => lake !== NONE && !lakes.includes(lake)) : undefined;
  if (unknown !== undefined) {
    const there =
      lakes.length === 0 ? `and what is left names none: --lake ${NONE}` : `there is ${lakes.map(quote).join(" and ")}`;
    throw new UsageError(`--lake is ${quote(unknown)}: nothing is left of that lake, ${there}`);
  }
  const all = wanted.length === 0 || lakes.every((lake) => wanted.includes(lake));
  return { lakes, wanted, has: ({ lake = NONE }) => all || wanted.includes(lake) };
}

const describeLakes = (lakes: readonly string[]): string =>
  `lakes ${lakes.map(quote).join(" and ")}, maybe two people's: choose with --lake; what names no lake is removed when all are chosen`;

const cure = (stack: string, { lakes, wanted }: Choice, left: number): string =>
  lakes.length > 1 && wanted.length === 0
    ? `that is of ${describeLakes(lakes)}`
    : `"npx oneoff leftovers ${[stack, "--delete", ...wanted.map((lake) => `--lake ${lake}`)].join(" ")}" removes ${left === 1 ? "it" : "them"}`;

/** By their lakes, where there are several. */
function listing(items: readonly Leftover[], lakes: readonly string[]): readonly string[] {
  if (lakes.length < 2) return items.map(describe);
  return [...lakes, undefined].flatMap((lake) => {
    const own = items.filter((item) => item.lake === lake);
    return own.length === 0 ? [] : [lake ? `Of lake ${lake}:` : "Of no lake by name:", ...own.map(describe)];
  });
}

const count = (things: number): string => (things === 1 ? "1 thing is" : `${things} things are`);

const describe = ({ kind, id, since, kept }: Leftover): string =>
  [
    kind.padEnd(26),
    id,
    since ? `since ${since.toISOString().slice(0, 19).replace("T", " ")} UTC` : "",
    kept ? "kept on purpose" : "",
  ]
    .filter((part) => part !== "")
    .join("  ");

async function agreed(items: readonly Leftover[], shared: boolean): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new UsageError("--delete asks before it removes anything: give --yes where nobody can answer");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const all = items.length === 1 ? "it" : `all ${items.length}`;
  const answer = await terminal.question(`Remove ${all}, with all data in it?${shared ? ownersOf(items) : ""} (y/N) `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** What somebody must know who has it removed, where two may have a stack of one name. */
function ownersOf(items: readonly Leftover[]): string {
  const lakes = [...new Set(items.flatMap(({ lake }) => lake ?? []))].sort();
  const nameless = items.filter(({ lake }) => lake === undefined).length;
  const of = [
    ...(lakes.length > 0
      ? [`${nameless > 0 ? items.length - nameless : "all"} of lake ${lakes.map(quote).join(" and ")}`]
      : []),
    ...(nameless > 0 ? [`${nameless} of no lake by name`] : []),
  ];
  return ` That is ${of.join(" and ")}, and may be another person's with a stack of this name.`;
}

/** What can't be removed is said, and the rest is still tried: one thing often holds another. */
export async function removeAll(items: readonly Leftover[]): Promise<void> {
  for (const order of [...new Set(items.map((item) => item.order))].sort((a, b) => a - b)) {
    const group = items.filter((item) => item.order === order);
    for (const item of group) await attempt(item, item.prepare);
    await Promise.all(group.map((item) => attempt(item, item.remove, "removed")));
  }
}

async function attempt(
  { kind, id }: Leftover,
  action: (() => Promise<void>) | undefined,
  done?: string,
): Promise<void> {
  try {
    await action?.();
    if (done) console.log(`${kind} ${id} is ${done}.`);
  } catch (error) {
    console.log(`${kind} ${id} can't be removed: ${(error as Error).message.split("\n")[0]}`);
  }
}
