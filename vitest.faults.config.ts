import { defineConfig } from "vitest/config";
import { common } from "./vitest.config.ts";

/** Proofs that take longer than every change should wait for: `npm run test:faults`. One by one: some start a Docker engine. */
export default defineConfig({
  test: { ...common, include: ["tests/faults/**/*.test.ts"], fileParallelism: false },
});
