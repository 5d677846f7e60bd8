/** What steps printed, read line by line. */
import { expect, test } from "vitest";
import { LogReader } from "../../cli/log-reader.ts";

test("a log may have many lines", async () => {
  const text = "a line\n".repeat(300_000);
  const lines = await new LogReader(async () => ({ text, next: text.length })).read(
    [{ name: "train", state: "running" }],
    true,
  );
  expect([lines.length, lines.at(-1)]).toEqual([300_000, { name: "train", text: "a line" }]);
});
