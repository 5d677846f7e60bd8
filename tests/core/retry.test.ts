/** Trying again and looking again, on a clock that only waiting moves. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { pause, retry, waitUntil } from "../../core/retry.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: 0 }));
afterEach(() => void vi.useRealTimers());

const sleep = async (ms: number) => void vi.setSystemTime(Date.now() + ms);

/** Work that fails so many times, each time with an error that has its number. */
function failing(times: number) {
  return vi.fn(async (attempt: number) => {
    if (attempt <= times) throw new Error(`failure ${attempt}`);
    return `answer ${attempt}`;
  });
}
const always = () => true;

describe("retry", () => {
  test("does what succeeds once", async () => {
    const work = failing(0);
    expect(await retry(work, { isTransient: always })).toBe("answer 1");
    expect(work).toHaveBeenCalledTimes(1);
  });

  test("does again what fails with something that passes, and tells of each failure", async () => {
    const onRetry = vi.fn();
    expect(await retry(failing(2), { isTransient: always, onRetry })).toBe("answer 3");
    expect(onRetry.mock.calls).toEqual([
      [new Error("failure 1"), 1],
      [new Error("failure 2"), 2],
    ]);
  });

  test("fails at once with what does not pass", async () => {
    const onRetry = vi.fn();
    const isTransient = (error: unknown) => (error as Error).message === "failure 1";
    await expect(retry(failing(3), { isTransient, onRetry })).rejects.toThrow("failure 2");
    expect(onRetry).toHaveBeenCalledTimes(1);
  });

  test("fails with the last failure when all tries are used up", async () => {
    const [work, onRetry] = [failing(3), vi.fn()];
    await expect(retry(work, { isTransient: always, tries: 3, onRetry })).rejects.toThrow("failure 3");
    expect(work).toHaveBeenCalledTimes(3);
    expect(onRetry).toHaveBeenCalledTimes(2);
  });

  test("fails with the last failure when patience is over", async () => {
    const work = failing(100);
    const options = { isTransient: always, patienceMs: 250, pauseMs: 100, sleep };
    await expect(retry(work, options)).rejects.toThrow("failure 4");
    expect(Date.now()).toBe(300);
  });

  test("pauses as long as it is told, for each failure anew", async () => {
    await retry(failing(3), { isTransient: always, pauseMs: (failed) => 10 ** failed, sleep });
    expect(Date.now()).toBe(10 + 100 + 1000);
  });

  test("a pause that is broken off ends it with the reason", async () => {
    const stop = new AbortController();
    const work = failing(100);
    const onRetry = () => stop.abort(new Error("stopped"));
    const options = { isTransient: always, pauseMs: 600_000, signal: stop.signal, onRetry };
    await expect(retry(work, options)).rejects.toThrow("stopped");
    expect(work).toHaveBeenCalledTimes(1);
  });
});

describe("waitUntil", () => {
  test("looks until there is something to see, and gives it back", async () => {
    const seen = [undefined, false, undefined, 0] as const;
    let looks = 0;
    const look = async () => seen[looks++];
    expect(await waitUntil<number>(look, { everyMs: 3000, sleep })).toBe(0);
    expect([looks, Date.now()]).toEqual([4, 9000]);
  });

  test("says that it took too long when patience is over, in the caller's words where it has some", async () => {
    const never = { everyMs: 3000, patienceMs: 60_000, sleep };
    await expect(waitUntil(async () => false, never)).rejects.toThrow("it took longer than 1 min");
    expect(Date.now()).toBe(60_000);
    await expect(waitUntil(async () => false, { ...never, late: "still there" })).rejects.toThrow(/^still there$/);
  });

  test("fails with what looking fails with", async () => {
    await expect(waitUntil(() => failing(1)(1), { everyMs: 1, sleep })).rejects.toThrow("failure 1");
  });

  test("is ended by its signal, with the reason", async () => {
    const stop = new AbortController();
    const look = async () => stop.abort(new Error("stopped")) as undefined;
    await expect(waitUntil(look, { everyMs: 600_000, signal: stop.signal })).rejects.toThrow("stopped");
  });
});

test("a pause ends while it lasts when it is broken off", async () => {
  const stop = new AbortController();
  const paused = pause(600_000, stop.signal);
  stop.abort(new Error("stopped"));
  await expect(paused).rejects.toThrow("stopped");
});
