/** `oneoff kibana`: what is printed goes by the stack's settings, and is what Kibana's import takes. */
import { expect, test } from "vitest";
import { readObjects } from "../jobs/kibana-schema.ts";
import { oneoff } from "./in-process.ts";

test("the objects of a stack's store are lines of standard output, and nothing else is", async () => {
  const { code, out, err } = await oneoff("kibana", "streaming-local", "--refresh", "1m");
  expect(code).toBe(0);
  const objects = readObjects(out);
  expect(objects).toHaveLength(7);
  const refresh = objects.flatMap((each) => (each.type === "dashboard" ? [each.attributes.refreshInterval.value] : []));
  expect(refresh).toEqual([60_000, 60_000, 60_000]);
  expect(err).toBe("stack streaming-local writes to no store yet: pulumi config set oneoff:store ADDRESS\n");
});

test("a look too often and a stack without a stream are refused", async () => {
  const often = await oneoff("kibana", "streaming-local", "--refresh", "4s");
  expect(often).toEqual({
    code: 2,
    out: "",
    err: 'oneoff: refresh is "4 seconds": Kibana looks every 5 seconds at most\n',
  });
  const none = await oneoff("kibana", "gpu-fleet-local");
  expect(none).toMatchObject({
    code: 2,
    out: "",
    err: expect.stringContaining("has no stream that writes to a store"),
  });
});
