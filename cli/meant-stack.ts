import { MissingError, quote, UsageError } from "../core/errors.ts";
import { hasBackend, hasProject, ownBackend } from "../engine/backend.ts";
import { DEFAULT_STACK, givenStack, type StackOptions } from "./arguments.ts";
import { filesIfAny, refuseElsewhere, stackFiles } from "./config.ts";
import type { Outputs, StackContext } from "./platform.ts";
import { NoPulumiError, NoStackError, NotUpError, outputsIn, outputsOf, pulumiText, STATE } from "./pulumi.ts";

/** A stack, and whence it is known that it is meant. */
export interface MeantStack {
  readonly name: string;
  /** For messages of what ends, costs or deletes: "selected". @default it was given */
  readonly because?: string;
}

/**
 * The stack that was given; else that of PULUMI_STACK, the one that is selected, the project's only one, and that of this
 * machine where nobody has a backend.
 *
 * @throws UsageError when two are given, MissingError when none can be told.
 */
export async function meantStack(word: string | undefined, options: StackOptions): Promise<MeantStack> {
  const named = namedStack(word, options);
  if (named) return named;
  const selected = await selectedStack();
  if (selected !== undefined) return { name: selected, because: SELECTED };
  if (ownBackend() === undefined) return { name: DEFAULT_STACK, because: "that of this machine" };
  const stacks = await allStacks();
  const [only] = stacks;
  if (only !== undefined && stacks.length === 1) return { name: only, because: "the only one" };
  const there = stacks.length === 0 ? "there is none yet" : `there are ${stacks.join(", ")}`;
  throw new MissingError(
    `no stack is selected, and ${there}: name one, as in --stack NAME, or select it by "npx pulumi stack select NAME"`,
  );
}

/** The one that is meant whatever Pulumi says. @throws UsageError when two are given. */
function namedStack(word: string | undefined, options: StackOptions): MeantStack | undefined {
  const given = givenStack(word, options);
  if (given !== undefined) return { name: checkName(given) };
  const { PULUMI_STACK } = process.env;
  return PULUMI_STACK ? { name: checkName(PULUMI_STACK, "PULUMI_STACK"), because: "by PULUMI_STACK" } : undefined;
}

/** The stack that is meant. */
export interface FoundStack {
  readonly meant: MeantStack;
  readonly stack: StackContext;
}

/**
 * The stack that is meant, which is up. Pulumi is asked as seldom as can be: its start is what takes time here.
 * @throws as {@link meantStack}; MissingError when it isn't up.
 */
export async function meantUp(word: string | undefined, options: StackOptions): Promise<FoundStack> {
  const found = await meantIfUp(word, options);
  if (found.stack) return found;
  throw found.problem;
}

/** The same of one that need not be up: then there is but the problem with that. */
export async function meantIfUp(
  word: string | undefined,
  options: StackOptions,
): Promise<FoundStack | { readonly meant: MeantStack; readonly stack?: undefined; readonly problem: NotUpError }> {
  const { meant, asked } = await askOutputs(word, options);
  asked.catch(() => {}); // told below
  const { stackContext } = await import("./stack.ts"); // while Pulumi is at it, as what comes next
  const files = stackFiles(meant.name);
  const outputs = await asked.catch(ifNotUp);
  if (outputs instanceof NotUpError) return { meant, problem: outputs };
  return { meant, stack: stackContext(meant.name, files, outputs) };
}

async function askOutputs(
  word: string | undefined,
  options: StackOptions,
): Promise<{ readonly meant: MeantStack; readonly asked: Promise<Outputs> }> {
  const named = namedStack(word, options);
  if (named) return { meant: named, asked: outputsOf(named.name) };
  // Of the one that is selected at once with its name: two processes side by side take no longer than one.
  const selected = mayBeSelected() ? pulumiText(STATE) : undefined;
  selected?.catch(() => {}); // told below, if that one is meant
  const meant = await meantStack(word, options);
  const isSelected = selected !== undefined && meant.because === SELECTED;
  return { meant, asked: isSelected ? selected.then((text) => outputsIn(text, meant.name)) : outputsOf(meant.name) };
}

function ifNotUp(error: unknown): NotUpError {
  if (error instanceof NotUpError) return error;
  throw error;
}

const SELECTED = "selected";

/** The name alone. */
export const stackNamed = async (word: string | undefined, options: StackOptions): Promise<string> =>
  (await meantStack(word, options)).name;

/** As messages have it: "stack emr-oneoff (selected)". */
export const describeStack = ({ name, because }: MeantStack): string =>
  because === undefined ? `stack ${name}` : `stack ${name} (${because})`;

/** Whether there is a project, and anywhere that its stacks may be. */
const mayBeSelected = (): boolean => hasBackend() && hasProject();

/** The selected one; undefined when none is, or there is no project or no Pulumi. */
async function selectedStack(): Promise<string | undefined> {
  if (!mayBeSelected()) return undefined;
  try {
    return (await pulumiText(["stack", "--show-name"])).trim() || undefined;
  } catch (error) {
    if (error instanceof NoPulumiError || error instanceof NoStackError) return undefined;
    throw error;
  }
}

/** The project's stacks, by their names. */
export async function allStacks(): Promise<readonly string[]> {
  if (!hasBackend()) return []; // asked, it would be made
  const stacks = JSON.parse(await pulumiText(["stack", "ls", "--json"])) as readonly { readonly name: string }[];
  return stacks.map(({ name }) => name);
}

/** @throws UsageError when what is given is no name of a stack, MissingError when it is one of another project. */
export function checkName(name: string, what = "the stack"): string {
  if (/\.(py|ipynb|sh|ya?ml|jar)$/.test(name)) {
    throw new UsageError(`${what} is ${quote(name)}, which is a file: expected the name of a stack`);
  }
  if (!/^(?!\.\.?(\/|$))[\w.-]+(\/(?!\.\.?(\/|$))[\w.-]+){0,2}$/.test(name)) {
    throw new UsageError(
      `${what} is ${quote(name)}: expected letters, digits, dots, dashes and underscores, with organization and project before it if need be`,
    );
  }
  const files = name.includes("/") ? filesIfAny(name) : undefined;
  if (files) refuseElsewhere(files);
  return name;
}
