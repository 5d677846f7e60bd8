/** Texts of others on a terminal. */
import { expect, test } from "vitest";
import { printable, printableOn } from "../../cli/printable.ts";

const ESC = "\u001b";
const TITLE = `${ESC}]0;mine\u0007`;

test.each([
  ["plain", "two lines\n\tof text: ä 日本 🙂", "two lines\n\tof text: ä 日本 🙂"],
  ["what clears the screen", `a${ESC}[2J${ESC}[Hb`, "ab"],
  ["a title, and the clipboard", `a${TITLE}b${ESC}]52;c;ZXZpbA==\u0007c`, "abc"],
  ["what is written over", "good\rbad\b\b", "good\ufffdbad\ufffd"],
  ["the sequences of eight bits", "a\u009b2Jb", "ab"],
  ["letters the other way around", "a\u202egnp.exe", "a\ufffdgnp.exe"],
  ["our own colours", `${ESC}[31mmissing${ESC}[39m`, `${ESC}[31mmissing${ESC}[39m`],
  ["none within another sequence", `a${ESC}]0;${ESC}[31mb\u0007`, `a;${ESC}[31mb\ufffd`],
])("%s", (_, text, shown) => {
  expect(printable(text)).toBe(shown);
  expect(printable(printable(text))).toBe(printable(text));
});

test("what is no terminal gets it as it is", () => {
  expect([true, false].map((isTTY) => printableOn({ isTTY }, TITLE))).toEqual(["", TITLE]);
});
