/** `oneoff fleet push` and `reset`, and `oneoff cancel`, on a fleet on EC2: real S3 of moto, real archives, a head that the test plays. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { cancelOnFleet } from "../../cli/aws/gpu-fleet/cancel.ts";
import { fleetOf } from "../../cli/aws/gpu-fleet/index.ts";
import { FleetCloud, type Machine } from "../../cli/aws/gpu-fleet/machines.ts";
import type { PushArgs } from "../../cli/aws/gpu-fleet/push.ts";
import { openLake } from "../../cli/aws/lake.ts";
import type { Fleet, Pushed } from "../../cli/fleet.ts";
import type { FleetAnswer } from "../../core/fleet-lake.ts";
import { type Moto, startMoto } from "../moto.ts";
import { attached, contextOf } from "./attached.ts";
import {
  ago,
  BUCKET,
  keys,
  listed,
  machine,
  makeLake,
  OUTPUTS,
  put,
  report,
  reports,
  s3,
  text,
} from "./fleet-on-aws.ts";

/** S3 takes no smaller one. */
const PART = 5 * 2 ** 20;

let moto: Moto;
let folder: string;
let said: string[];
let stop: AbortController;
let head: string;

beforeAll(async () => {
  moto = await startMoto();
  await makeLake();
  head = (await machine("head")).id;
}, 60_000);
afterAll(() => moto.close());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-push-"));
  said = [];
  stop = new AbortController();
  for (const key of await inLake()) await s3().send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
  const fleet = { hdfs: { used: 0, capacity: 20e6, missing: 0, underReplicated: 0, nodes: [] }, spark: null };
  await reports(report("head", "head", head, { fleet }));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** An archive with so many random bytes in it. */
function archive(bytes: number, ...words: readonly string[]): string {
  const from = join(folder, "from");
  mkdirSync(from, { recursive: true });
  writeFileSync(join(from, "a.bin"), randomBytes(bytes));
  const file = join(folder, "data.tgz");
  execFileSync("tar", ["czf", file, ...words, "-C", from, "a.bin"], { stdio: ["ignore", "ignore", "ignore"] });
  return file;
}

const fleet = (): Fleet => fleetOf(contextOf("team", OUTPUTS), OUTPUTS);
const push = (source: string, target = "/data", more: Partial<PushArgs> = {}): Promise<Pushed> => {
  const options = { overwrite: false, say: (line: string) => void said.push(line), stop: stop.signal, pollMs: 20 };
  return fleet().push(source, target, { ...options, partBytes: PART, ...more } as PushArgs);
};

/** Waits until something is asked, as the head does. */
async function asked(): Promise<{ readonly id: string; readonly request: Record<string, unknown> }> {
  for (;;) {
    const [key] = await listed(keys.requests);
    if (key !== undefined) return { id: key.slice(keys.requests.length, -5), request: JSON.parse(await text(key)) };
    await sleep(20);
  }
}
const answer = (id: string, more: Partial<FleetAnswer>) =>
  put(keys.answer(id), { state: "running", updated: new Date().toISOString(), said: [], ...more });

const inLake = async () =>
  (await Promise.all(["requests", "uploads", "answers"].map((name) => listed(`${keys.at}/${name}/`)))).flat();
const uploads = async () => {
  const all: ListMultipartUploadsCommandOutput = await s3().send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
  return all.Uploads ?? [];
};

/** Which parts of the archive are sent. */
function sentParts(fail: (part: number) => boolean = () => false): number[] {
  const parts: number[] = [];
  const send = S3Client.prototype.send as (...words: readonly unknown[]) => Promise<unknown>;
  async function noting(this: S3Client, command: object, ...more: readonly unknown[]) {
    if (command instanceof UploadPartCommand) {
      const part = command.input.PartNumber as number;
      if (fail(part)) throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
      parts.push(part);
    }
    return send.call(this, command, ...more);
  }
  vi.spyOn(S3Client.prototype, "send").mockImplementation(noting as typeof S3Client.prototype.send);
  return parts;
}

const DONE = { files: 1, skipped: 0, bytes: 12e6, seconds: 3 };

test("an archive goes to the lake in parts, the head is asked, and what it says is told; nothing stays there", async () => {
  const source = archive(12e6);
  const pushed = push(source, "/data", { overwrite: true });
  const { id, request } = await asked();
  expect(request).toEqual({
    ...{ command: "push", asked: expect.any(String), archive: "data.tgz", folder: "/data", overwrite: true },
  });
  const { Body } = await s3().send(new GetObjectCommand({ Bucket: BUCKET, Key: keys.upload(id) }));
  expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(readFileSync(source))).toBe(true);
  await answer(id, { said: ["push: 1.0 of 12.0 MB"] });
  await expect.poll(() => said.at(-1)).toBe("push: 1.0 of 12.0 MB");
  await answer(id, { said: ["push: 1.0 of 12.0 MB", "push: 9.0 of 12.0 MB"] });
  await expect.poll(() => said.at(-1)).toBe("push: 9.0 of 12.0 MB");
  await answer(id, { state: "done", said: ["push: 9.0 of 12.0 MB"], result: DONE });
  expect(await pushed).toEqual(DONE);
  expect(said.filter((line) => line.startsWith("upload:")).at(-1)).toBe("upload: 12 of 12 MB");
  expect(said.filter((line) => line.startsWith("push:"))).toHaveLength(2);
  expect(await inLake()).toEqual([]);
});

test("an upload that was cut off goes on where it was, unless the file is another by now", async () => {
  const source = archive(12e6);
  const before = sentParts((part) => part === 2);
  await expect(push(source)).rejects.toThrow("AWS can't be reached");
  vi.restoreAllMocks();
  expect(before).not.toContain(2);
  expect(await uploads()).toHaveLength(1);
  const again = sentParts();
  const pushed = push(source);
  await answer((await asked()).id, { state: "done", result: DONE });
  await pushed;
  expect([...before, ...again].sort()).toEqual([1, 2, 3]);
  expect(await uploads()).toEqual([]);

  vi.restoreAllMocks();
  sentParts((part) => part === 3);
  await expect(push(source)).rejects.toThrow("AWS can't be reached");
  vi.restoreAllMocks();
  utimesSync(source, 1, 1);
  const anew = sentParts();
  const other = push(source);
  await answer((await asked()).id, { state: "done", result: DONE });
  await other;
  expect(anew.sort()).toEqual([1, 2, 3]);
});

test.each<[what: string, make: () => string, target: string, problem: string]>([
  [
    "what is no gzipped tar",
    () => {
      writeFileSync(join(folder, "data.tgz"), "a,b\n");
      return join(folder, "data.tgz");
    },
    "/data",
    "is no gzipped tar",
  ],
  ["what climbs out", () => archive(10, "--transform", "s,^,../,", "-P"), "/data", "which climbs out of its folder"],
  ["a folder that is the fleet's own", () => archive(10), "/scratch", "is the cluster's own"],
  [
    "what HDFS has no room for",
    () => archive(30e6),
    "/data",
    "holds 0.03 GB, and HDFS has room for 0.02 GB: give it more data nodes",
  ],
])("%s is refused before the first byte", async (_, make, target, problem) => {
  const parts = sentParts();
  await expect(push(make(), target)).rejects.toThrow(problem);
  expect(parts).toEqual([]);
  expect(await uploads()).toEqual([]);
  expect(await inLake()).toEqual([]);
});

test("what the head refuses is told in its words, and whether it may go well another time", async () => {
  for (const [refused, name] of [
    [true, "UsageError"],
    [false, "TransientError"],
  ] as const) {
    const pushed = push(archive(10)).catch((error) => error);
    await answer((await asked()).id, { state: "failed", problem: "/data/a.bin is there with other content", refused });
    expect(await pushed).toMatchObject({ name, message: "/data/a.bin is there with other content" });
    expect(await inLake()).toEqual([]);
  }
});

test("Ctrl-C while it is uploaded, before the head has begun, and after: it is said what becomes of it", async () => {
  const source = archive(12e6);
  sentParts((part) => {
    if (part === 2) stop.abort("SIGINT");
    return false;
  });
  const taken = "the upload was ended, and taken back: nothing of it is in the lake or in HDFS";
  await expect(push(source)).rejects.toMatchObject({ message: taken, exit: 130 });
  expect([await uploads(), await inLake()]).toEqual([[], []]);
  vi.restoreAllMocks();

  stop = new AbortController();
  const waiting = push(source).catch((error) => error);
  await asked();
  stop.abort("SIGINT");
  expect((await waiting).message).toBe("the fleet's head had not begun, and was told not to: nothing of it is there");
  expect(await inLake()).toEqual([]);

  stop = new AbortController();
  const going = push(source).catch((error) => error);
  const { id } = await asked();
  await answer(id, { said: ["push: half of it"] });
  await expect.poll(() => said.at(-1)).toBe("push: half of it");
  stop.abort("SIGINT");
  expect((await going).message).toBe(
    "the fleet's head goes on with it; the same command, once that has ended, tells how it went",
  );
  expect(await inLake()).toContain(keys.upload(id));
  stop = new AbortController();
  const parts = sentParts();
  const again = push(source);
  await answer(id, { state: "done", result: DONE });
  expect(await again).toEqual(DONE);
  expect([parts, await inLake()]).toEqual([[], []]);
});

test("what was asked, and not waited for, is taken away by the next who asks", async () => {
  for (const id of ["old", "going", "new"]) {
    await put(keys.request(id), { command: "reset", asked: ago(900) });
    await put(keys.upload(id), "x");
  }
  await answer("old", { state: "failed", updated: ago(900) });
  await answer("going", { updated: ago(900) });
  await answer("new", { state: "done", updated: ago(30) });
  await put(keys.answer("members"), { state: "done", updated: ago(900), said: [] }); // the head's own
  stop.abort("SIGINT");
  await expect(push(archive(10))).rejects.toThrow();
  expect((await inLake()).filter((key) => /old/.test(key))).toEqual([]);
  expect(await inLake()).toHaveLength(7);
});

test("reset is asked of the head, and tells what went", async () => {
  const reset = fleet().reset((line) => void said.push(line));
  const { id, request } = await asked();
  expect(request).toEqual({ command: "reset", asked: expect.any(String) });
  await answer(id, { state: "done", said: ["reset: 2 kernels"], result: { sessions: 1, kernels: 1, deleted: 1200 } });
  expect(await reset).toBe("Gone: 1,200 files and folders of HDFS, 1 kernel.");
  expect(said).toEqual(["reset: 2 kernels"]);
  expect(await inLake()).toEqual([]);
});

describe("a run that is to be cancelled", () => {
  const said: string[] = [];
  const record = (state: string, more = {}) =>
    put("_runs/1.json", { run: "1", job: "nids", state, started: ago(60), steps: [], tables: {}, ...more });
  const machines = () =>
    new FleetCloud({ region: "us-west-2", stack: "oneoff/team", bucket: BUCKET, fleet: OUTPUTS.fleet }).machines();
  const cancel = (patienceMs: number, seen = machines) => {
    const lake = openLake(contextOf("team", OUTPUTS), OUTPUTS.lake);
    const say = (line: string) => void said.push(line);
    return cancelOnFleet({ lake, fleet: OUTPUTS.fleet, machines: seen, say, patienceMs, pollMs: 20 }, "1");
  };
  beforeEach(() => void said.splice(0));

  test("is waited for until its driver has written how it ended", async () => {
    await record("running");
    const cancelling = (await attached(contextOf("team", OUTPUTS))).cancel("1");
    await expect.poll(() => listed("_cancels/")).toEqual(["_cancels/1.json"]);
    await record("failed", { cancelled: true, ended: ago(0), error: "cancelled" });
    expect(await cancelling).toMatchObject({ wasOver: false, status: { run: "1", state: "cancelled" } });
    expect(await inLake()).toEqual([]);
  });

  test("is ended by the head where its driver doesn't see it", async () => {
    await record("running");
    const cancelling = cancel(50);
    const { id, request } = await asked();
    expect([id, request]).toEqual(["cancel-1", { command: "cancel", asked: expect.any(String), run: "1" }]);
    await answer(id, { state: "done", result: null });
    await cancelling;
    expect(said).toEqual(["The run's driver doesn't end by itself: the fleet's head is asked to end it."]);
    expect(await inLake()).toEqual([]);
  });

  test("is over where there is no head, or one that runs nothing", async () => {
    await record("running");
    await cancel(60_000, async () => []);
    const [one] = await machines();
    await cancel(60_000, async () => [{ ...(one as Machine), state: "stopped" }]);
    expect([said, await inLake()]).toEqual([[], []]);
  });
});

test("a head that isn't there is not asked", async () => {
  const source = archive(10);
  const why = async () => (await push(source).catch((error) => error)).message;
  await reports(report("head", "head", head, { reported: ago(420) }));
  expect(await why()).toBe(
    'the fleet\'s head sent no word for 7 minutes: "npx --no oneoff fleet status team" tells when it is there again',
  );
  await reports(report("head", "head", head, { state: "failed", problem: "dnf found no Java" }));
  expect(await why()).toBe("the fleet's head failed: dnf found no Java");
  await reports(report("head", "head", head, { state: "installing" }));
  expect(await why()).toMatch(/^the fleet's head is being set up: /);
  await moto.reset();
  await makeLake();
  expect(await why()).toBe('the fleet of stack team has no head: "npx --no oneoff up team" makes one');
});
