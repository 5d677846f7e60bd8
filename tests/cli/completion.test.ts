/** What bash completes; tests/faults has the shells that a machine may lack. */
import { expect, test } from "vitest";
import { COMPLETED, completedBy } from "./completed.ts";

test("bash completes commands, options, their values and stacks, and starts nothing for it", async () => {
  expect(await completedBy("bash", Object.keys(COMPLETED))).toEqual({ offered: COMPLETED, started: 0 });
});
