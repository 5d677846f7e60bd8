import { expect } from "vitest";

/** A query whose time is over as soon as it runs, however long it took to begin. */
export async function tooLong<T>(fake: { readonly running: number }, query: (signal: AbortSignal) => Promise<T>) {
  const controller = new AbortController();
  const answer = query(controller.signal);
  answer.catch(() => undefined);
  await expect.poll(() => fake.running).toBe(1);
  controller.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
  return answer;
}
