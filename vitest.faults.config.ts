import { defineConfig } from "vitest/config";
import base from "./vitest.config.ts";

/** Proofs that take longer than every change should wait for: `npm run test:faults`. One by one: some start a Docker engine. */
export default defineConfig({
  test: { ...base.test, include: ["tests/faults/**/*.test.ts"], exclude: [], fileParallelism: false },
});
