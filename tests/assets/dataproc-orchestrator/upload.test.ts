/** Uploads of streams: whole at their end, whatever happens on the way, or not there. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { upload } from "../../../assets/dataproc-orchestrator/upload.ts";

/** What becomes of a request instead: an answer that comes without or after its bytes were taken, or a broken connection. */
interface Fault {
  readonly status?: number;
  /** How many of the bytes are taken. @default none */
  readonly taken?: number;
}

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  if (request.method === "DELETE") {
    deleted += 1;
    return response.writeHead(499).end();
  }
  const range = request.headers["content-range"] ?? "";
  ranges.push(range);
  const [, from, total] = /^bytes (?:\*|(\d+)-\d+)\/(\d+|\*)$/.exec(range) ?? [];
  const fault = from === undefined ? undefined : faults.shift();
  if (from !== undefined && Number(from) !== held.length) return response.writeHead(400).end("wrong range");
  held = Buffer.concat([held, fault ? body.subarray(0, fault.taken ?? 0) : body]);
  if (fault && fault.status === undefined) return request.socket.destroy();
  if (fault && fault.status !== 308) return response.writeHead(fault.status as number).end("no");
  if (total !== "*" && held.length === Number(total)) {
    whole = held;
    return response.writeHead(200).end("{}");
  }
  response.writeHead(308, held.length > 0 ? { Range: `bytes=0-${held.length - 1}` } : {}).end();
});
let held: Buffer;
let whole: Buffer | undefined;
let deleted: number;
let ranges: string[];
let faults: Fault[];
let session: string;

beforeEach(async () => {
  [held, whole, deleted, ranges, faults] = [Buffer.alloc(0), undefined, 0, [], []];
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  session = `http://127.0.0.1:${(server.address() as AddressInfo).port}/session`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

const MIB = 1 << 20;
/** What is sent at once. */
const PIECE = 2 * MIB;
const going = () => new AbortController().signal;
const chunked = (content: Buffer) =>
  Readable.from(
    Array.from({ length: Math.ceil(content.length / 70_000) }, (_, n) =>
      content.subarray(n * 70_000, (n + 1) * 70_000),
    ),
  );
const isWhole = (content: Buffer) => whole !== undefined && Buffer.compare(whole, content) === 0;

test.each([0, 1, PIECE - 1, PIECE, PIECE + 1, 9 * MIB])("%i bytes", async (size) => {
  const content = randomBytes(size);
  await upload(session, chunked(content), going());
  expect(isWhole(content)).toBe(true);
  expect(ranges).toHaveLength(Math.max(1, Math.ceil(size / PIECE)));
});

test.each([
  ["an answer is lost after all bytes were taken", { taken: PIECE }],
  ["a connection breaks in the middle", { taken: MIB }],
  ["Google is busy", { status: 503 }],
  ["Google takes but a part", { status: 308, taken: MIB }],
] as const)("goes on when %s", async (_what, fault) => {
  const content = randomBytes(9 * MIB);
  faults.push(fault);
  await upload(session, chunked(content), going());
  expect(isWhole(content)).toBe(true);
  expect(deleted).toBe(0);
});

test("goes on when the last answer is lost", async () => {
  const content = randomBytes(PIECE + MIB);
  faults.push({ status: 308, taken: PIECE }, { taken: MIB });
  await upload(session, chunked(content), going());
  expect(isWhole(content)).toBe(true);
});

test.each([
  ["refused", { status: 403 }, /answers 403: no/],
  ["answered by an error again and again", { status: 503 }, /answers 503: no/],
] as const)("is given up when it is %s", async (_what, fault, problem) => {
  faults.push(...Array.from({ length: 9 }, () => fault));
  await expect(upload(session, chunked(randomBytes(9 * MIB)), going())).rejects.toThrow(problem);
  expect({ whole, deleted }).toEqual({ whole: undefined, deleted: 1 });
});

test("leaves nothing of a stream that fails", async () => {
  async function* broken() {
    yield randomBytes(5 * MIB);
    throw new Error("broken");
  }
  await expect(upload(session, Readable.from(broken()), going())).rejects.toThrow("broken");
  expect({ whole, deleted }).toEqual({ whole: undefined, deleted: 1 });
});

test("leaves nothing of a stream that is stopped while it waits", async () => {
  const stop = new AbortController();
  const waiting = new Readable({ read: () => undefined });
  waiting.push(randomBytes(1000));
  const uploading = upload(session, waiting, stop.signal);
  setTimeout(() => stop.abort(new Error("stopped")), 50);
  await expect(uploading).rejects.toThrow("stopped");
  expect({ whole, deleted }).toEqual({ whole: undefined, deleted: 1 });
});
