import { createInterface } from "node:readline/promises";
import { quote, UsageError } from "../components/core/errors.ts";
import { aws, google } from "./cloud.ts";
import { googleProjectOf, regionOf, type StackFiles, stackFiles } from "./config.ts";
import { type Cloud, cloudsOf } from "./program.ts";

/** Something of a stack that is still there. */
export interface Leftover {
  /** Such as "EC2 instance". */
  readonly kind: string;
  readonly id: string;
  readonly since?: Date;
  /** Bucket of the lake that it names. @default it names none */
  readonly lake?: string;
  /** It stays on purpose, and is no leftover. @default false */
  readonly kept?: boolean;
  /** What is removed first has the lowest. */
  readonly order: number;
  /** What must be done to all of one order before the first of them can be removed. */
  readonly prepare?: () => Promise<void>;
  /** Removes it and waits until it is gone where others need that. */
  readonly remove: () => Promise<void>;
}

export interface LeftoversOptions {
  /** Remove what is found. */
  readonly delete: boolean;
  /** Without asking. */
  readonly yes: boolean;
  /** Buckets of the lakes whose things are meant. @default all, where there are not two */
  readonly lake: readonly string[];
}

/** Says what is left of a stack after its destroy; resolves to whether that is nothing. */
export async function leftovers(stack: string, options: LeftoversOptions): Promise<boolean> {
  const findLeftovers = await finderOf(stack);
  const everybodys = await findLeftovers(stack);
  const choice = choose(everybodys, options.lake);
  const found = everybodys.filter(choice.has);
  const left = found.filter((item) => !item.kept);
  for (const line of listing(found, choice.lakes)) console.log(line);
  const others = everybodys.filter((item) => !item.kept && !choice.has(item)).length;
  if (others > 0) console.log(`${count(others)} of another lake, or ${others === 1 ? "names" : "name"} none.`);
  const what = `stack ${stack}${others > 0 ? ` with lake ${choice.wanted.join(" and ")}` : ""}`;
  if (left.length === 0) {
    console.log(found.length === 0 ? `Nothing is left of ${what}.` : `Nothing else is left of ${what}.`);
    return true;
  }
  const only = choice.lakes.length === 1 ? ` (lake ${choice.lakes[0]})` : "";
  const undecided = choice.lakes.length > 1 && choice.wanted.length === 0;
  console.log(
    `${count(left.length)} left of ${what}${only}${options.delete ? "" : `; ${cure(stack, choice, left.length)}`}.`,
  );
  if (options.delete && undecided) throw new UsageError(`--delete would be for ${together(choice.lakes)}`);
  const [lake] = choice.lakes;
  if (options.delete && options.yes && lake !== undefined && choice.wanted.length === 0) {
    throw new UsageError(`--yes would not ask whether lake ${quote(lake)} is yours: say so by --lake ${lake}`);
  }
  if (!options.delete || !(options.yes || (await agreed(left.length)))) return false;
  await removeAll(left);
  const still = (await findLeftovers(stack)).filter((item) => !item.kept && choice.has(item));
  for (const item of still) console.log(describe(item));
  console.log(still.length === 0 ? `Nothing is left of ${what}.` : `${still.length} could not be removed.`);
  return still.length === 0;
}

type Finder = (stack: string) => Promise<readonly Leftover[]>;

/** How each is searched. */
const FINDERS: Readonly<Record<Cloud, () => Promise<Finder>>> = {
  aws: async () => (await aws()).findLeftovers,
  gcp: async () => (await google()).findLeftovers,
  docker: async () => (await import("./docker/leftovers.ts")).findDockerLeftovers,
};

/** Looks wherever things of a stack may be. What is on this machine alone ends with its destroy. */
async function finderOf(stack: string): Promise<Finder> {
  const files = stackFiles(stack);
  const clouds = files.bundled ? await cloudsOf(files) : ownClouds(files);
  const finders = await Promise.all(clouds.map((cloud) => FINDERS[cloud]()));
  return async (stack) => (await Promise.all(finders.map((find) => find(stack)))).flat();
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

/** Whose things are meant, where two people have a stack of one name in one account. */
interface Choice {
  /** All that something is left of. */
  readonly lakes: readonly string[];
  /** Those that were asked for. */
  readonly wanted: readonly string[];
  readonly has: (item: Leftover) => boolean;
}

/** What names no lake may be anybody's: it is meant when all lakes are. @throws UsageError for a lake that has nothing. */
function choose(items: readonly Leftover[], given: readonly string[]): Choice {
  // One that was kept on purpose is nobody else's for that.
  const left = items.filter(({ kept }) => !kept).map(({ lake }) => lake);
  const lakes = [...new Set(left.filter((lake) => lake !== undefined))].sort();
  const wanted = [...new Set(given.map((lake) => lake.replace(/^(?:s3|gs):\/\/([^/]*).*$/, "$1")))];
  const unknown = items.length > 0 ? wanted.find((lake) => !lakes.includes(lake)) : undefined;
  if (unknown !== undefined) {
    const there = lakes.length === 0 ? "and what is left names none" : `there is ${lakes.map(quote).join(" and ")}`;
    throw new UsageError(`--lake is ${quote(unknown)}: nothing is left of that lake, ${there}`);
  }
  const all = wanted.length === 0 || lakes.every((lake) => wanted.includes(lake));
  return { lakes, wanted, has: ({ lake }) => all || (lake !== undefined && wanted.includes(lake)) };
}

const together = (lakes: readonly string[]): string =>
  `lakes ${lakes.map(quote).join(" and ")}, maybe two people's: choose with --lake; what names no lake is removed when all are chosen`;

const cure = (stack: string, { lakes, wanted }: Choice, left: number): string =>
  lakes.length > 1 && wanted.length === 0
    ? `that is of ${together(lakes)}`
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

async function agreed(count: number): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new UsageError("--delete asks before it removes anything: give --yes where nobody can answer");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`Remove ${count === 1 ? "it" : `all ${count}`}, with all data in it? (y/N) `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
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
