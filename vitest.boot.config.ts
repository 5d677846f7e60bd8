import { defineConfig } from "vitest/config";
import { common } from "./vitest.config.ts";

/** Machines that boot by the real loader and scripts, in namespaces: `npm run test:boot`, as root on Linux. */
export default defineConfig({
  test: { ...common, include: ["tests/boot/*.test.ts"], testTimeout: 600_000, fileParallelism: false },
});
