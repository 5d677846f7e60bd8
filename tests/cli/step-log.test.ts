import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogReader } from "../../cli/log-reader.ts";
import { LOG_HEAD, stepLog } from "../../cli/step-log.ts";
import { FolderStore } from "../../clients/lake/folder.ts";
import type { LakeStore } from "../../clients/lake/store.ts";
import { logKey } from "../../core/lake-layout.ts";

const WRITER = readFileSync(new URL("../../assets/steps/step_log.py", import.meta.url), "utf8");
const TAIL = 1 << 20;

let folder: string;
/** As a bucket has it: the object of a moment. */
let lake: Pick<LakeStore, "address" | "bytes" | "piece">;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-step-log-"));
  const store = new FolderStore(folder);
  lake = {
    address: "s3://bucket",
    bytes: (key, from) => store.bytes(key, from),
    piece: (key, range) => store.piece(key, range),
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

/** As its writer puts it: of a long one beginning and end. */
function put(printed: string): void {
  const file = join(folder, logKey("1", "train"));
  mkdirSync(dirname(file), { recursive: true });
  const left = printed.length - LOG_HEAD - TAIL;
  const gap = `\n[${left} bytes are left out here; the cluster's own log of the step has them]\n`;
  writeFileSync(file, left > 0 ? printed.slice(0, LOG_HEAD) + gap + printed.slice(-TAIL) : printed);
}

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `line ${String(from + i).padStart(10, "0")}\n`).join("");

test("what is known of the log is what its writer keeps and says", () => {
  expect(WRITER).toContain("HEAD = 64 << 10 ");
  expect(LOG_HEAD).toBe(64 << 10);
  expect(WRITER).toContain(
    String.raw`f"\n[{left_out} bytes are left out here; the cluster's own log of the step has them]\n"`,
  );
});

test("a long log is followed line by line while its middle is left out", async () => {
  const reader = new LogReader((step, from) => stepLog(lake, "1", step, from));
  const seen: string[] = [];
  const ends = [0, 10, 5_000, 50_000, 80_000, 90_000, 90_001];
  for (const end of ends) {
    put(lines(0, end));
    const read = await reader.read([{ name: "train", state: "running" }], false);
    seen.push(...read.map(({ text }) => text));
  }
  expect(seen.join("\n")).toBe(lines(0, 90_001).trimEnd());
});

test("who comes late, or reads too seldom, is told how much there was", async () => {
  put(lines(0, 200_000));
  const first = await stepLog(lake, "1", "train", 0);
  expect(first.text).toContain(`\n[${200_000 * 16 - LOG_HEAD - TAIL} bytes are left out here; `);
  expect(first.next).toBe(200_000 * 16);
  put(lines(0, 400_000));
  const { text, next } = await stepLog(lake, "1", "train", first.next);
  expect(text).toMatch(new RegExp(`^\\n\\[${200_000 * 16 - TAIL} bytes are left out here; .*\\]\\n`));
  expect(text.endsWith("line 0000399999\n")).toBe(true);
  expect(next).toBe(400_000 * 16);
  expect(await stepLog(lake, "1", "train", next)).toEqual({ text: "", next });
});

test("of an object that is written anew between two requests nothing is lost or told twice", async () => {
  put(lines(0, 100_000));
  const { next } = await stepLog(lake, "1", "train", 0);
  put(lines(0, 100_010));
  let requests = 0;
  const changing: typeof lake = {
    ...lake,
    bytes(key, from) {
      if (++requests === 1) put(lines(0, 100_020));
      return lake.bytes(key, from);
    },
  };
  expect((await stepLog(changing, "1", "train", next)).text).toBe(lines(100_000, 100_020));
  expect(requests).toBe(2);
});
