import { RunError } from "@pulumi/pulumi/errors.js";
import { expect, test } from "vitest";
import { z } from "zod";
import { arg, invalid, quote, refusal, UsageError } from "../../core/errors.ts";
import { count, inSettingsOf } from "../../core/settings.ts";

const schema = z.object({ workers: count(), autoscale: count(), disk: z.string(), lake: z.string() });
const inSettings = inSettingsOf(schema, { "workers.count": "workers", "workers.upTo": "autoscale" });

const toldInSettings = (error: Error): string => {
  try {
    inSettings(() => {
      throw error;
    });
  } catch (renamed) {
    return (renamed as Error).message;
  }
  throw new Error("nothing was thrown");
};

test("Pulumi shows a UsageError in one line, whatever it is made of", () => {
  for (const error of [new UsageError("no"), refusal`${arg("disk")} is full`, invalid("disk", "1 GB", "more")]) {
    expect(RunError.isInstance(error)).toBe(true);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.name).toBe("UsageError");
  }
});

test("a message reads as it is written", () => {
  expect(new UsageError("there is no region").message).toBe("there is no region");
  expect(refusal`${arg("workers.upTo")} is ${2} and ${arg("mode")} is ${quote("batch")}: no`.message).toBe(
    'workers.upTo is 2 and mode is "batch": no',
  );
  expect(refusal`${arg("hdfs")} is false and ${arg("lake", "the lake")} is no folder`.message).toBe(
    "hdfs is false and the lake is no folder",
  );
  expect(invalid("disk", undefined, 'expected "16 GB"').message).toBe('disk is undefined: expected "16 GB"');
});

test("a stack calls every argument of a message what its user has set", () => {
  expect(toldInSettings(refusal`${arg("workers.upTo")} is 2 and ${arg("workers.count")} is 3: more`)).toBe(
    "oneoff:autoscale is 2 and oneoff:workers is 3: more",
  );
  expect(toldInSettings(invalid("disk", "1 GB", "expected more"))).toBe('oneoff:disk is "1 GB": expected more');
  expect(toldInSettings(refusal`hdfs is false and ${arg("lake", "the lake")} is no folder`)).toBe(
    "hdfs is false and oneoff:lake is no folder",
  );
});

test("what only looks like an argument stays: in a value, in the text, and what is no setting", () => {
  const text = 'workers.count is 3 and disk is "disk is 1": leave disk out';
  expect(toldInSettings(new UsageError(text))).toBe(text);
  expect(toldInSettings(refusal`${arg("disk")} is ${quote("workers.count is 3")}`)).toBe(
    'oneoff:disk is "workers.count is 3"',
  );
  expect(toldInSettings(invalid("region", "mars", "no"))).toBe('region is "mars": no');
  expect(toldInSettings(invalid("toString", 1, "no"))).toBe("toString is 1: no");
});

test("what a check returns is returned, and an error that is no UsageError passes as it is", () => {
  expect(inSettings(() => 3)).toBe(3);
  const error = new TypeError("disk is 1");
  const thrown = () =>
    inSettings(() => {
      throw error;
    });
  expect(thrown).toThrow(error);
});

test("an error knows what it names, by argument and by setting, and what would cure it", () => {
  const error = invalid("workers.count", 0, "expected more");
  expect(error.names("workers.count")).toBe(true);
  expect(error.names("workers")).toBe(false);
  const renamed = error.renamed(() => "oneoff:workers");
  expect(renamed.names("workers.count") && renamed.names("oneoff:workers")).toBe(true);
  expect(renamed.cure).toBe("expected more");
  expect(new UsageError("workers.count is 0").names("workers.count")).toBe(false);
});
