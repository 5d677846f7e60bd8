import { expect, test } from "vitest";
import { provesFailures, provesLifecycle, type StackUnderTest } from "../engine/harness.ts";
import { fakeAws } from "../stacks/fake-aws.ts";

const under: StackUnderTest = { stack: "emr-oneoff", packages: ["aws", "random", "tls"], fake: fakeAws };

test("emr-oneoff: a failure at every resource in turn leaves nothing after destroy", {
  timeout: 3_600_000,
}, async () => {
  const made = await provesLifecycle(under);
  expect(made.length).toBeGreaterThan(60);
  await provesFailures(under, made);
});
