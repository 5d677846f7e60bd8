import { quote, TransientError, UsageError } from "../../core/errors.ts";
import { answerJson } from "../answer.ts";
import { collect, fail, jsonOption, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { ask } from "../ask.ts";
import type { OneoffCommand } from "../command.ts";
import { stackFiles } from "../config.ts";
import { stackNamed } from "../meant-stack.ts";
import type { Leftover, Platform, RehearsedResource, Search, StackContext } from "../platform.ts";
import { programOf, rehearseOwn, resourcesOf } from "../program.ts";
import { outputsOf } from "../pulumi.ts";
import { kinds, partsOf, platforms, platformsOn } from "../registry.ts";
import { stackContext } from "../stack.ts";

export const leftovers: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .description(`Say what is left of a stack on ${places()} after its end; fail if anything is.`)
        .option("--delete", "remove what is left, after asking", false)
        .option(
          "--lake <bucket>",
          'only what is of this lake, or of none by "none"; may be given more than once',
          collect,
          [],
        )
        .option(
          "-y, --yes",
          "don't ask; needs --lake where what is left names one, and where others have stacks",
          false,
        )
        .addOption(jsonOption())
        .action(async (word: string | undefined, options: LeftoversOptions) =>
          fail(!(await findLeftovers(await stackNamed(word, options), options))),
        ),
      {
        "oneoff leftovers emr-oneoff": "look",
        "oneoff leftovers emr-oneoff --delete": "remove what is left, after a question",
      },
      { 1: "something is left", 8: "it was not agreed to" },
    ),
};

/** Where anything can be left. */
function places(): string {
  const titles = platforms.filter(({ search }) => search).map(({ title }) => title);
  return new Intl.ListFormat("en-GB", { type: "disjunction" }).format(titles);
}

interface LeftoversOptions extends StackOptions {
  readonly json?: boolean;
  /** Remove what is found. */
  readonly delete: boolean;
  /** Without asking. */
  readonly yes: boolean;
  /** Buckets of the lakes whose things are meant, and "none" for what names none. @default all, where there are not two */
  readonly lake: readonly string[];
}

/** Says what is left of a stack after its end; resolves to whether that is nothing. */
export async function findLeftovers(stack: string, options: LeftoversOptions): Promise<boolean> {
  if (options.yes && !options.delete)
    throw new UsageError("--yes is for --delete, which removes what is left: give both");
  if (options.json && options.delete)
    throw new UsageError("--json tells what is left, and --delete removes it: leave one out");
  const { find, where = "", shared = false } = await searchOf(await stackToLookFor(stack));
  const everybodys = await find();
  const choice = choose(everybodys, options.lake);
  const found = everybodys.filter(choice.has);
  const left = found.filter(isLeft);
  const unsure = found.some((item) => item.unsure !== undefined);
  if (options.json) {
    answerJson("leftovers/1", { stack, left: found.map(plain) });
    return left.length === 0 && !unsure;
  }
  for (const line of listing(found, choice.lakes)) console.log(line);
  const others = everybodys.filter((item) => isLeft(item) && !choice.has(item)).length;
  if (others > 0) console.log(`${count(others)} of another lake, or ${others === 1 ? "names" : "name"} none.`);
  const what = `stack ${stack}${others > 0 ? ` with lake ${choice.wanted.join(" and ")}` : ""}${where}`;
  if (left.length === 0) {
    console.log(found.length === 0 ? `Nothing is left of ${what}.` : `Nothing else is left of ${what}.`);
    return !unsure;
  }
  const only = choice.lakes.length === 1 ? ` (lake ${choice.lakes[0]})` : "";
  console.log(
    `${count(left.length)} left of ${what}${only}${options.delete ? "" : `; ${cure(stack, choice, left.length)}`}.`,
  );
  if (!options.delete) return false;
  checkChosen(choice, options, shared);
  const all = left.length === 1 ? "it" : `all ${left.length}`;
  const question = `Remove ${all}, with all data in it?${shared ? ownersOf(left) : ""}`;
  if (!options.yes) await ask(question, "--delete removes what is left");
  await removeAll(left);
  const still = (await find()).filter((item) => isLeft(item) && choice.has(item));
  for (const item of still) console.log(describe(item));
  const nothing = unsure ? "Nothing else" : "Nothing";
  console.log(still.length === 0 ? `${nothing} is left of ${what}.` : `${still.length} could not be removed.`);
  return still.length === 0 && !unsure;
}

const plain = ({ kind, id, lake, since, kept = false, unsure }: Leftover) => ({ kind, id, lake, since, kept, unsure });

/** What may be another stack's is told of, and left alone. */
const isLeft = ({ kept, unsure }: Leftover): boolean => !kept && unsure === undefined;

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

/** Looks wherever things of a stack may be. */
async function searchOf(stack: StackContext): Promise<Search> {
  const { platforms, resources = [], isGuess = false } = await whereToLook(stack);
  const searches = await Promise.all(
    platforms.map(async (platform) => {
      const search = await platform.search?.(stack, await partsOf(platform), resources);
      return search && (isGuess ? { ...search, find: () => findIfThere(platform, search) } : search);
    }),
  );
  const found = searches.filter((search) => search !== undefined);
  return {
    find: async () => (await Promise.all(found.map((search) => search.find()))).flat(),
    where: found.map(({ where = "" }) => where).join(""),
    shared: found.some(({ shared }) => shared),
  };
}

/** What is left on a platform that nothing says the stack is on: one that can't be asked is told of, and no error. */
async function findIfThere({ title }: Platform, search: Search): Promise<readonly Leftover[]> {
  try {
    return await search.find();
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof TransientError)) throw error;
    console.error(`${title} was not looked at, and nothing says that the stack is there: ${error.message}`);
    return [];
  }
}

interface Places {
  readonly platforms: readonly Platform[];
  /** What the stack's program asks for, where it is known. */
  readonly resources?: readonly RehearsedResource[];
  /** Whether nothing says that the stack is there. @default false */
  readonly isGuess?: boolean;
}

/**
 * Where a stack makes anything, as its program says. What a program of the user's own makes is looked for where it says
 * itself, the cluster of a stack that is up, and its settings; else where the environment does, and else where nothing has to.
 *
 * @throws UsageError when the program refuses its settings, and the defaults too.
 */
async function whereToLook(stack: StackContext): Promise<Places> {
  if (!stack.files.bundled) {
    const resources = await ownResources(stack);
    const cluster = kinds.find(({ name }) => name === stack.outputs.cluster)?.platform;
    const named = (by: "settings" | "environment") => platforms.filter((platform) => platform.isNamed?.(stack, by));
    const known = [...new Set([...platformsOn(resources), ...(cluster ? [cluster] : []), ...named("settings")])];
    const found = known.length > 0 ? known : named("environment");
    if (found.length > 0) return { platforms: found, resources };
    if (Object.keys(stack.outputs).length > 0) {
      const cure = `"npx --no oneoff down ${stack.name}" first`;
      throw new UsageError(`stack ${stack.name} is up, and neither it nor its program say where: ${cure}`, cure);
    }
    return { platforms: platforms.filter(({ isNamed }) => !isNamed), isGuess: true };
  }
  const { resources, refused } = await resourcesOf(await programOf(stack.files), stack.files);
  if (resources.length === 0 && refused) throw refused;
  const found = platformsOn(resources);
  if (found.length > 0) return { platforms: found, resources };
  throw new UsageError(
    `stack ${stack.name} makes nothing on a platform that is known here, so nothing can be looked for`,
  );
}

/** What a program of the user's own asks for; nothing where it refuses its settings, as those of a stack that is gone. */
async function ownResources({ files }: StackContext): Promise<readonly RehearsedResource[]> {
  try {
    return (await rehearseOwn(files)).resources;
  } catch (error) {
    if (error instanceof UsageError) return [];
    throw error;
  }
}

/** A stack as its settings have it; one of a program of the user's own also as it is, if it is up. */
async function stackToLookFor(name: string): Promise<StackContext> {
  const stack = stackContext(name, stackFiles(name));
  if (stack.files.bundled) return stack;
  const outputs = await outputsOf(name).catch(() => ({}));
  return { ...stack, outputs };
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
  const left = items.filter(isLeft).map(({ lake }) => lake);
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
    : `"npx --no oneoff leftovers ${[stack, "--delete", ...wanted.map((lake) => `--lake ${lake}`)].join(" ")}" removes ${left === 1 ? "it" : "them"}`;

/** By their lakes, where there are several. */
function listing(items: readonly Leftover[], lakes: readonly string[]): readonly string[] {
  if (lakes.length < 2) return items.map(describe);
  return [...lakes, undefined].flatMap((lake) => {
    const own = items.filter((item) => item.lake === lake);
    return own.length === 0 ? [] : [lake ? `Of lake ${lake}:` : "Of no lake by name:", ...own.map(describe)];
  });
}

const count = (things: number): string => (things === 1 ? "1 thing is" : `${things} things are`);

const describe = ({ kind, id, since, kept, unsure }: Leftover): string =>
  [
    kind.padEnd(26),
    id,
    since ? `since ${since.toISOString().slice(0, 19).replace("T", " ")} UTC` : "",
    kept ? "kept on purpose" : "",
    unsure === undefined ? "" : `may be another stack's: ${unsure}`,
  ]
    .filter((part) => part !== "")
    .join("  ");

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
