import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Those that take minutes come first, so that none of them is left to run alone at the end. */
const LONG = [
  "tests/swarm/swarm.test.ts",
  "tests/jobs/python.test.ts",
  "tests/stacks/emr-oneoff.test.ts",
  "tests/stacks/dataproc.test.ts",
];

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => LONG.some((name) => moduleId.endsWith(name));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/faults/**"],
    reporters: ["default", "./tests/summary.ts"],
    globalSetup: ["tests/google/setup.ts"],
    // For what hangs, not for what is slow: machines may be, and whoever waits for something in a test has a limit that is
    // less and says what did not come.
    testTimeout: 180_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 60_000 } },
    // Most tests start processes of their own, which share the machine's cores.
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
  },
});
