/** What a page shows of a log, whatever is in it, and how it reads on in both directions. */
import { expect, test } from "vitest";
import { LogReader, MOST_BYTES } from "../../../assets/dashboard/page/log-reader.ts";
import { textOf } from "../../../assets/dashboard/page/log-text.ts";

const shown = (text: string | Uint8Array, isBeginning = true) =>
  textOf(typeof text === "string" ? new TextEncoder().encode(text) : text, isBeginning);

test.each([
  ["plain text", "a\tb\nc\n", "a\tb\nc\n"],
  ["what looks like markup", "<img src=x onerror=1> &amp;", "<img src=x onerror=1> &amp;"],
  ["colours", "\x1b[1;31mERROR\x1b[0m \x1b[38;5;9mred\x1b[m", "ERROR red"],
  ["a title and a link", "\x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"],
  ["an order without an end", "a\x1b]0;and all the rest", "a0;and all the rest"],
  ["half an order", "a\x1b[12", "a12"],
  ["a sign by itself", "a\x1b", "a␛"],
  ["a progress bar", "[Stage 0]\r[Stage 1]\r\n", "[Stage 1]\n"],
  ["lines of Windows", "a\r\nb\r\r\n", "a\nb\n"],
  ["controls", "a\0b\x08c\x7fd\x9be\u2028f", "a␀b␈c␡d�e�f"],
  ["text that is turned", "a\u202egnp.exe\u2066b\u200f", "a�gnp.exe�b�"],
  ["what is no UTF-8", new Uint8Array([97, 0xff, 0xfe, 10, 0xed, 0xa0, 0x80, 98]), "a��\n���b"],
  ["half a character at the end", new Uint8Array([97, 0xc3]), "a"],
])("%s", (_, given, text) => expect(shown(given)).toBe(text));

test("a line without an end is cut, and is no burden however it is made", () => {
  expect(shown("x".repeat(20_000))).toBe(`${"x".repeat(2000)}… (18,000 more characters)`);
  for (const piece of ["x", "\r", "\x1b", "\x1b[", "\x1b]", "\x1b[0", "\0", "\n", "\u202e"]) {
    const begun = performance.now();
    shown(`${piece.repeat(MOST_BYTES / piece.length)}x`);
    expect(performance.now() - begun, JSON.stringify(piece)).toBeLessThan(2000);
  }
});

test("of more lines than a page can show the last are shown", () => {
  expect(shown("a\n".repeat(22_000))).toBe(`… (2,001 more lines)\n${"a\n".repeat(19_999)}`);
  expect(shown("a\n".repeat(19_999))).toBe("a\n".repeat(19_999));
});

test("of what begins within a line its rest is left out", () => {
  expect(shown("half\nwhole\n", false)).toBe("whole\n");
  expect(shown("\nwhole", false)).toBe("whole");
  expect(shown("no end", false)).toBe("…no end");
});

/** A log of the lake, what was asked of it, and who reads it. */
class FakeLog {
  content: string | undefined;
  readonly asked: string[] = [];
  readonly reader = new LogReader(async (range) => {
    this.asked.push(range);
    if (this.content === undefined) return undefined;
    const size = this.content.length;
    const [first = "", last = ""] = range.split("-");
    const from = first === "" ? Math.max(0, size - Number(last)) : Math.min(Number(first), size);
    const bytes = new TextEncoder().encode(this.content.slice(from, first === "" ? size : Number(last) + 1));
    return { bytes, from, size };
  });

  constructor(content?: string) {
    this.content = content;
  }
}

const line = (i: number) => `line ${String(i).padStart(8, "0")} of the log\n`; // 25 bytes
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i)).join("");

test("the end comes first, then what is before, and what is added", async () => {
  const log = new FakeLog(lines(0, 10_000));
  const { reader } = log;
  await reader.end();
  expect(log.asked).toEqual(["-65536"]);
  expect([reader.size, reader.earlierBytes]).toEqual([250_000, 250_000 - 65_536]);
  expect(reader.text).toBe(lines(10_000 - 2621, 10_000)); // of the first line the beginning is not there
  await reader.earlier();
  expect(reader.text).toBe(lines(10_000 - 7864, 10_000));
  await reader.earlier();
  expect([reader.earlierBytes, reader.text]).toEqual([0, log.content]);
  log.content += lines(10_000, 10_010);
  await reader.later();
  expect(reader.text).toBe(log.content);
  await reader.later();
  expect([reader.text, reader.size]).toEqual([log.content, log.content?.length]);
  expect(log.asked.slice(1)).toEqual(["53392-184719", "0-53647", "249744-381071", "249994-381321"]);
});

test("a log that is there later is read then, one that is removed leaves what was read", async () => {
  const log = new FakeLog();
  const { reader } = log;
  await reader.end();
  expect([reader.size, reader.text]).toEqual([undefined, ""]);
  log.content = "";
  await reader.end();
  expect([reader.size, reader.text]).toEqual([0, ""]);
  log.content = "a\n";
  await reader.later();
  log.content = "a\nb\n";
  await reader.later();
  expect([reader.size, reader.text]).toEqual([4, "a\nb\n"]);
  log.content = undefined;
  for (const read of [() => reader.later(), () => reader.earlier(), () => reader.end()]) {
    await read();
    expect([reader.size, reader.text]).toEqual([undefined, "a\nb\n"]);
  }
});

test("a log that was written anew is read anew", async () => {
  const log = new FakeLog(lines(0, 10_000));
  const { reader } = log;
  await reader.end();
  log.content = lines(5, 10_005); // as long as before: the lake keeps beginning and end of a long log
  await reader.later();
  expect(reader.text).toBe(lines(10_005 - 2621, 10_005));
  log.content = lines(9, 10_009);
  await reader.earlier();
  expect(reader.text).toBe(lines(10_009 - 2621, 10_009));
  log.content = lines(0, 3); // shorter
  await reader.later();
  expect([reader.text, reader.earlierBytes, reader.size]).toEqual([lines(0, 3), 0, 75]);
});

test("of a log that grows faster than it is read the end is shown", async () => {
  const log = new FakeLog(lines(0, 10));
  const { reader } = log;
  await reader.end();
  log.content += lines(10, 100_000);
  await reader.later();
  expect(reader.text).toBe(lines(100_000 - 2621, 100_000));
  expect(log.asked).toHaveLength(3);
});

test("what is before so many lines is not read any more", async () => {
  const log = new FakeLog(`a\n${"\n".repeat(100_000)}`);
  await log.reader.end();
  expect([log.reader.isFull, log.reader.earlierBytes > 0]).toEqual([true, true]);
});

test("a page keeps no more than so much of a log", async () => {
  const log = new FakeLog(lines(0, 40_000));
  const { reader } = log;
  await reader.end();
  while (!reader.isFull) await reader.earlier();
  expect(reader.text.length).toBeLessThanOrEqual(MOST_BYTES);
  expect(reader.text.length).toBeGreaterThan(MOST_BYTES - 200_000);
  for (let i = 40_000; reader.isFull; i += 5000) {
    log.content += lines(i, i + 5000);
    await reader.later();
    expect(reader.text.length).toBeLessThanOrEqual(MOST_BYTES);
    expect(reader.text.endsWith(line(i + 4999))).toBe(true);
  }
});
