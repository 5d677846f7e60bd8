import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/faults/**"],
    reporters: ["default", "./tests/summary.ts"],
    testTimeout: 30_000,
    // Most tests start processes of their own, which share the machine's cores.
    maxWorkers: 2,
  },
});
