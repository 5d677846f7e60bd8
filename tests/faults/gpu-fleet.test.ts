import { expect, test } from "vitest";
import type { Resource } from "../engine/fake-provider.ts";
import { provesFailures, provesLifecycle, type StackUnderTest } from "../engine/harness.ts";
import { fakeAws } from "../stacks/fake-aws.ts";

const under: StackUnderTest = { stack: "gpu-fleet", packages: ["aws", "random"], fake: fakeAws };

/** The last of each type, which is what has most there before it: a failure at each of some 200 would take an hour. */
const oneOfEachType = (made: readonly Resource[]): readonly Resource[] => [
  ...new Map(made.map((resource) => [resource.type, resource])).values(),
];

test("gpu-fleet: a failure at a resource of each type leaves nothing after destroy", {
  timeout: 3_600_000,
}, async () => {
  const made = await provesLifecycle(under);
  expect(made.length).toBeGreaterThan(150);
  const failing = oneOfEachType(made);
  expect(failing.length).toBeGreaterThan(30);
  await provesFailures(under, failing);
});
