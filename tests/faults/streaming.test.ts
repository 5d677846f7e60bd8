import { expect, test } from "vitest";
import { provesFailures, provesLifecycle, type StackUnderTest } from "../engine/harness.ts";
import { fakeDocker } from "../stacks/fake-docker.ts";

const under: StackUnderTest = { stack: "streaming", packages: ["docker", "random", "oneoff-local"], fake: fakeDocker };

test("streaming: a failure at every resource in turn leaves nothing after destroy", {
  timeout: 3_600_000,
}, async () => {
  const made = await provesLifecycle(under);
  expect(made.length).toBeGreaterThan(20);
  await provesFailures(under, made);
});
