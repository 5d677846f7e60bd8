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

/** Whether a name is one that the library gave to something of a stack: project, stack, component, 8 digits. */
export function ownName(stack: string, others: readonly string[]): (name: string) => boolean {
  const prefix = slug(stack);
  const longer = others.map(slug).filter((other) => other !== prefix && other.startsWith(prefix));
  return (name) =>
    name.startsWith(prefix) &&
    /^.+-[0-9a-f]{8}$/.test(name.slice(prefix.length)) &&
    !longer.some((other) => name.startsWith(other));
}

const slug = (stack: string): string => `${stack.toLowerCase().replace(/[^a-z0-9]+/g, "-")}-`;
