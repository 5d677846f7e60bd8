import { defineConfig } from "vitest/config";
import { common } from "./vitest.config.ts";

/** A fleet's real services, for minutes: `npm run test:fleet`. One by one: each has a cluster of its own. */
export default defineConfig({
  test: {
    ...common,
    include: ["tests/fleet/*.test.ts"],
    exclude: ["tests/fleet/python.test.ts"],
    fileParallelism: false,
  },
});
