import { defineConfig } from "vitest/config";
import { common } from "./vitest.config.ts";

/** A stream on real Kafka and Spark, and what dies of it, for minutes: `npm run test:streaming`. */
export default defineConfig({
  test: {
    ...common,
    include: ["tests/streaming/*.test.ts"],
    fileParallelism: false,
  },
});
