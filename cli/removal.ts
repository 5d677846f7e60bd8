import { waitUntil } from "../core/retry.ts";

/** Waits until something is so, such as that a machine is gone. */
export async function until(done: () => Promise<boolean>): Promise<void> {
  await waitUntil(done, { everyMs: 3000, patienceMs: 20 * 60_000, late: "it is still there after 20 minutes" });
}

/** What there is no way for here. */
export function notAutomated(how: string): () => Promise<void> {
  return async () => {
    throw new Error(`this command can't do it: ${how}`);
  };
}

/** Why something may be another stack's, for its `unsure`: nothing but its name tells. @param command removes it. */
export const byHand = (command: string): string => `its name alone tells; if it is yours: ${command}`;

/** Whose something is by its name: "own", "unsure" where another stack could have made it, undefined where one did. */
export type Claim = (name: string, owners?: readonly string[]) => "own" | "unsure" | undefined;

/**
 * Tells whose something is that takes no tag. The library names it by project, stack, component and 8 digits, and cuts that
 * where it is long. Names tell no dashes of a project from those between, and no capitals: so a name alone makes nothing
 * surely a stack's own, but what is known of its owners, as by its contents, or by tags of what has the same digits.
 *
 * @param others stacks that there are: what begins with a longer name of one of them is theirs.
 * @param longest where names are cut, digits apart.
 */
export function claimOf(stack: string, others: readonly string[], longest: readonly number[] = [LONGEST_NAME]): Claim {
  const prefix = slug(stack);
  const longer = others.map(slug).filter((other) => other !== prefix && other.startsWith(prefix));
  const begins = (readable: string, beginning: string) =>
    (readable.startsWith(beginning) && readable !== beginning) ||
    longest.some((length) => beginning.length > length && beginning.slice(0, length).replace(/-+$/, "") === readable);
  return (name, owners = []) => {
    const readable = /^(.+)-[0-9a-f]{8}$/.exec(name)?.[1];
    if (readable === undefined || !begins(readable, prefix)) return undefined;
    if (owners.length > 0) return owners.every((owner) => owner === stack) ? "own" : ofOthers(stack, owners);
    return longer.some((other) => begins(readable, other)) ? undefined : "unsure";
  };
}

const ofOthers = (stack: string, owners: readonly string[]) => (owners.includes(stack) ? "unsure" : undefined);

/** The longest readable part of a physical name; see components/common/naming.ts. */
const LONGEST_NAME = 54;

/** How names of a stack begin. */
const slug = (stack: string): string => `${stack}-`.toLowerCase().replace(/[^a-z0-9]+/g, "-");

/** The stack that a description or display name begins with, exactly; undefined where it begins with none. */
export const stackIn = (text: string | undefined): string | undefined =>
  /^[\w.-]+\/[\w.-]+(?= |$)/.exec(text ?? "")?.[0];
