import { expect, test } from "vitest";
import { type Answer, type Members, settle } from "../../../assets/fleet-members/settle.ts";

const members = (...names: readonly string[]): Members => ({
  nodes: names.map((name) => ({ name, address: `10.0.0.${name.at(-1)}:9866` })),
  replication: 2,
});
const before = members("data-1", "data-2", "data-3");
const wanted = members("data-1", "data-2");

/** Answers one after another, the last again and again. */
const place = (answers: readonly (Answer | undefined)[], looks = 1_000_000) => {
  let at = 0;
  return {
    answer: async () => answers[Math.min(at++, answers.length - 1)],
    remainingMs: () => 30_001 + (looks - at),
    pollMs: 1,
    silentMs: 100,
  };
};

test("nobody is waited for when none goes", async () => {
  await settle(before, members("data-1", "data-2", "data-3", "data-4"), place([]));
});

test("it waits for the answer to what is wanted now, and not to what was before", async () => {
  const old: Answer = { state: "done", wanted: before, said: [] };
  const going: Answer = { state: "running", wanted, said: ["hdfs: 12 blocks left on 10.0.0.3:9866"] };
  const looked = place([undefined, old, going, { ...going, state: "done" }]);
  await settle(before, wanted, looked);
  expect(looked.remainingMs()).toBe(30_001 + 1_000_000 - 4);
});

test("what can't be is an error with the head's words", async () => {
  const failed: Answer = { state: "failed", wanted, said: [], problem: "there is no room for 3 GB" };
  await expect(settle(before, wanted, place([failed]))).rejects.toThrow(
    "data-3 can't go, and nothing was deleted: there is no room for 3 GB",
  );
});

test("a head that says nothing, and a function whose time is up", async () => {
  await expect(settle(before, wanted, place([undefined]))).rejects.toThrow("the fleet's head says nothing");
  const going: Answer = { state: "running", wanted, said: ["12 blocks left"] };
  await expect(settle(before, wanted, place([going], 3))).rejects.toThrow(
    'data-3 still give up their blocks (12 blocks left), and nothing was deleted: "pulumi up" waits on',
  );
});
