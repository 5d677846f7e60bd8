import { expect, test } from "vitest";
import { provesFailures, provesLifecycle, type StackUnderTest } from "../engine/harness.ts";

/** What the provider of this machine computes, as far as the stack uses it. */
const outputs = () => ({
  ...{ url: "http://127.0.0.1:8765", state: "running", logs: "/logs" },
  ...{ value: "secret", folder: "/software" },
});
const under: StackUnderTest = { stack: "streaming-local", packages: ["oneoff-local"], fake: { outputs } };

test("streaming-local: a failure at every resource in turn leaves nothing after destroy", {
  timeout: 3_600_000,
}, async () => {
  const made = await provesLifecycle(under);
  expect(made.map(({ type }) => type.split(":").at(-1)).sort()).toEqual(
    "Folder Process Process Run Secret Server Software Software".split(" "),
  );
  await provesFailures(under, made);
});
