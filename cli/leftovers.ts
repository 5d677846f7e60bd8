import { createInterface } from "node:readline/promises";
import { UsageError } from "../components/core/errors.ts";
import { aws } from "./cloud.ts";

/** Something of a stack that is still in the cloud. */
export interface Leftover {
  /** Such as "EC2 instance". */
  readonly kind: string;
  readonly id: string;
  readonly since?: Date;
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
}

/** Says what is left of a stack after its destroy; resolves to whether that is nothing. */
export async function leftovers(stack: string, options: LeftoversOptions): Promise<boolean> {
  const { findLeftovers } = await aws();
  const found = await findLeftovers(stack);
  const left = found.filter((item) => !item.kept);
  for (const item of found) console.log(describe(item));
  if (left.length === 0) {
    console.log(found.length === 0 ? `Nothing is left of stack ${stack}.` : `Nothing else is left of stack ${stack}.`);
    return true;
  }
  const things = left.length === 1 ? "1 thing is" : `${left.length} things are`;
  console.log(
    `${things} left of stack ${stack}${options.delete ? "" : `; "npx oneoff leftovers ${stack} --delete" removes ${left.length === 1 ? "it" : "them"}`}.`,
  );
  if (!options.delete || !(options.yes || (await agreed(left.length)))) return false;
  await removeAll(left);
  const still = (await findLeftovers(stack)).filter((item) => !item.kept);
  for (const item of still) console.log(describe(item));
  console.log(still.length === 0 ? `Nothing is left of stack ${stack}.` : `${still.length} could not be removed.`);
  return still.length === 0;
}

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
