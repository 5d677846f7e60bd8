/** What `oneoff produce` has sent, and what it refuses. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { JsonLines } from "../../cli/answer.ts";
import { programDisplay } from "../../cli/commands/produce.ts";
import { produceWords } from "../../cli/produce.ts";
import { exported } from "./attached.ts";
import { oneoff } from "./in-process.ts";

let outputs: Record<string, unknown>;
vi.mock(import("../../cli/pulumi.ts"), async (original) => {
  const real = await original();
  return { ...real, outputsOf: async (stack: string) => real.outputsIn(exported(outputs), stack) };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-produce-"));
  vi.stubEnv("PULUMI_BACKEND_URL", "file:///where/stacks/are");
  vi.stubEnv("ONEOFF_PYTHON", process.execPath); // it is there
  outputs = { cluster: "local-pipeline", run: "1", lake: folder, kafka: "127.0.0.1:9" };
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** Options by their names. */
const optionsOf = (words: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(words.flatMap((word, i) => (word.startsWith("--") ? [[word, words[i + 1] ?? ""]] : [])));

test("what is given counts, then the stack's settings, then the defaults", () => {
  const config = { "oneoff:rate": "50", "oneoff:features": "3", "oneoff:trainTopic": "mine", "oneoff:port": "9000" };
  const words = produceWords({ rate: 1000, drift: 0.5 }, { ids: "one", seconds: 60 }, config);
  expect(optionsOf(words)).toEqual({
    ...{ "--train-topic": "mine", "--test-topic": "test", "--rate": "1000", "--burst": "1", "--test-share": "0.2" },
    ...{ "--drift": "0.5", "--noise": "0.1", "--malformed": "0", "--seed": "1", "--features": "3" },
    ...{ "--ids": "one", "--tell": "1", "--seconds": "60" },
  });
  expect(optionsOf(produceWords({}, { ids: "one", topic: "held-out" }, {}))).toMatchObject({
    ...{ "--train-topic": "held-out", "--test-topic": "held-out", "--test-share": "0" },
  });
});

test("a CSV goes with columns that it has, as many as the model has features", () => {
  const csv = join(folder, "homes.csv");
  writeFileSync(csv, '\ufeffsize,"rooms",price\r\n1,2,3\r\n');
  const words = (columns: readonly string[], target = "price", file = csv) =>
    produceWords({ csv: file, columns, target }, { ids: "one" }, {});
  expect(optionsOf(words(["size", "rooms"]))).toMatchObject({ "--csv": csv, "--columns": "size,rooms" });
  expect(() => words(["size"])).toThrow('columns is "size": expected 2 of them, as features is 2');
  expect(() => words(["size", "room"])).toThrow(
    `columns is "size,room": ${csv} has no column room; there are size, rooms, price`,
  );
  expect(() => words(["size", "rooms"], "cost")).toThrow(`target is "cost": ${csv} has no column cost`);
  expect(() => words(["size", "rooms"], "price", `${csv}.csv`)).toThrow(`csv is "${csv}.csv": there is no such file`);
  expect(() => produceWords({ csv }, { ids: "one" }, {})).toThrow("give csv, columns and target together");
});

test("what can't be sent is refused, with what to do", async () => {
  const said = async (...words: readonly string[]) => {
    const { code, err } = await oneoff("produce", "-s", "streaming-local", ...words);
    return `${code} ${err}`;
  };
  expect(await said()).toMatch(
    /2 .*no broker answers at 127\.0\.0\.1:9 \(.*ECONNREFUSED.*\): "npx --no oneoff up streaming-local" starts it again/s,
  );
  expect(await said("--rate", "0")).toContain("'--rate <number>' argument '0' is invalid");
  expect(await said("--topic", "a.b")).toContain("'--topic <name>' argument 'a.b' is invalid");
  outputs = { cluster: "local", run: "1", lake: folder };
  expect(await said()).toContain("stack streaming-local has no stream that records could be sent to");
});

test("the schema of produce is what it was", async () => {
  let out = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-11-29T20:00:00Z") });
  const display = programDisplay(new JsonLines("produce/1", { stack: "streaming-local", kafka: "127.0.0.1:8766" }));
  for (const records of [0, 1000, 2000]) {
    display.sent(records);
    vi.setSystemTime(Date.now() + 1000);
  }
  display.end(2000);
  await expect(out).toMatchFileSnapshot(fileURLToPath(new URL("golden/produce.jsonl", import.meta.url)));
});
