/** What steps printed, read line by line. */
import { constants } from "node:buffer";
import { expect, test } from "vitest";
import { LogReader } from "../../cli/log-reader.ts";
import { stepLog } from "../../cli/step-log.ts";
import { UsageError } from "../../core/errors.ts";

test("a log may have many lines", async () => {
  const text = "a line\n".repeat(300_000);
  const lines = await new LogReader(async () => ({ text, next: text.length })).read(
    [{ name: "train", state: "running" }],
    true,
  );
  expect([lines.length, lines.at(-1)]).toEqual([300_000, { name: "train", text: "a line" }]);
});

test("one that is longer than a text can be is told of, with where it lies", async () => {
  const bytes = { length: constants.MAX_STRING_LENGTH + 1 } as Uint8Array;
  const lake = { address: "/lake", bytes: async () => bytes, piece: async () => undefined };
  await expect(stepLog(lake, "1", "train", 0)).rejects.toThrow(
    new UsageError("the log of step train has 537 MB, too many to print: it is /lake/_logs/1/train.log"),
  );
});
