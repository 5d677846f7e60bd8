import { expect, test } from "vitest";
import { provesFailures, provesLifecycle, type StackUnderTest } from "../engine/harness.ts";
import { fakeDocker } from "../stacks/fake-docker.ts";

const under: StackUnderTest = { stack: "swarm", packages: ["docker", "random", "oneoff-local"], fake: fakeDocker };

test("swarm: a failure at every resource in turn leaves nothing after destroy", { timeout: 3_600_000 }, async () => {
  const made = await provesLifecycle(under);
  expect(made.length).toBeGreaterThan(30);
  await provesFailures(under, made);
});
