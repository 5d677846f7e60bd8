import { expect, test } from "vitest";
import { provesFailures, provesLifecycle } from "../engine/harness.ts";
import { dataproc } from "../stacks/dataproc-modes.ts";

test.each(["workflow", "cluster", "batch"] as const)(
  "dataproc in mode %s: a failure at every resource in turn leaves nothing after destroy",
  { timeout: 3_600_000 },
  async (mode) => {
    const made = await provesLifecycle(dataproc(mode));
    expect(made.length).toBeGreaterThan(60);
    await provesFailures(dataproc(mode), made);
  },
);
