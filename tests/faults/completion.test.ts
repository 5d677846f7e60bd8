/** What the shells complete that a machine may lack. */
import { expect, test } from "vitest";
import { COMPLETED, completedBy } from "../cli/completed.ts";

for (const shell of ["zsh", "fish"] as const)
  test(`${shell} completes commands, options, their values and stacks, and starts nothing for it`, {
    tags: [shell],
  }, async () => {
    expect(await completedBy(shell, Object.keys(COMPLETED))).toEqual({ offered: COMPLETED, started: 0 });
  });
