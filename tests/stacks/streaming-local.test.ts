/** A stream on this machine as its user has it: the real engine and provider, Kafka, its producer, Spark, and the page. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lakeLayout } from "../../core/lake-layout.ts";
import { RunRecord } from "../../core/run.ts";
import { freePorts } from "../free-port.ts";
import { makeProject, type Project, processesOf, readJsonFile } from "../project.ts";
import { quickJava } from "../spark/quick-java.ts";

const STACK = "streaming-local";

let project: Project;
let port: number;
const lake = () => join(project.folder, ".oneoff", "streaming-lake");

beforeAll(async () => {
  project = makeProject(quickJava());
  port = await freePorts(1 + 16);
  await project.oneoff("env", STACK);
  const settings = [`port=${port}`, "rate=200", "partEvery=1 second", "malformed=0.05"];
  await project.mustPulumi(
    ...["config", "set-all", "--stack", STACK],
    ...settings.flatMap((text) => ["--plaintext", `oneoff:${text}`]),
  );
});
afterAll(async () => {
  await project.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK);
  project.remove();
});

const up = (...more: readonly string[]) =>
  project.mustPulumi("up", "--yes", "--skip-preview", "--stack", STACK, ...more);
const rowsOf = async (panel: string) => {
  const answer = await fetch(`http://127.0.0.1:${port}/api/panels/${panel}?run=1`);
  return ((await answer.json()) as { rows?: number }).rows ?? 0;
};

test("a model learns from what is sent until it is asked to end, and the page has it from the stream and from the lake", async () => {
  expect(await up()).toContain("+ 12 created");
  const events = await fetch(`http://127.0.0.1:${port}/api/events?run=1`);
  expect(events.status).toBe(200);
  const reader = (events.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  let told = "";
  while (!told.includes("event: rows")) told += (await reader.read()).value ?? "";
  await reader.cancel();
  await expect.poll(() => rowsOf("points-train"), { timeout: 120_000 }).toBeGreaterThan(0);
  await up("--expect-no-changes");

  const sent = await project.oneoff("produce", "-s", STACK, "--rate", "300", "--for", "4s", "--seed", "7");
  expect(sent).toMatchObject({ code: 0, output: expect.stringMatching(/^[\d,]+ records were sent\.$/m) });
  expect(Number(/^([\d,]+) records/m.exec(sent.output)?.[1]?.replace(",", ""))).toBeGreaterThan(100);
  expect(await project.oneoff("produce", "-s", STACK, "--topic", "nowhere")).toMatchObject({
    ...{ code: 2, output: expect.stringContaining(`there is no topic nowhere at 127.0.0.1:${port + 1}`) },
  });
  const watched = await project.oneoff("watch", STACK, "--json", "--timeout", "6s");
  expect(watched.code).toBe(9);
  const figures = watched.output.split("\n").findLast((line) => line.startsWith('{"type":"stream"'));
  expect(JSON.parse(figures ?? "{}")).toMatchObject({
    ...{ records: expect.any(Number), perSecond: expect.any(Number), lagSeconds: expect.any(Number) },
    ...{ errors: { train: expect.any(Number), test: expect.any(Number) } },
    eventToPageP95Seconds: expect.any(Number),
  });

  const cancelled = await project.oneoff("cancel", STACK, "--yes");
  expect(cancelled.output).toMatch(/Run 1 of streaming-regression ended as it was asked to, after .+: it succeeded\./);
  const { state, tables } = RunRecord.parse(readJsonFile(lakeLayout(lake()).record("1")));
  expect(state).toBe("succeeded");
  expect(tables.predictions?.rows).toBeGreaterThan(200);
  expect(tables.rejected?.rows).toBeGreaterThan(0);
  expect(await rowsOf("global-error")).toBe(2);

  expect(await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)).toContain("- 12 deleted");
  expect(processesOf(lake())).toEqual([]);
}, 600_000);
