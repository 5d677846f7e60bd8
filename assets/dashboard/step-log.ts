import type { Context } from "hono";
import type { ByteRange, Piece } from "../../clients/lake/piece.ts";
import { failure } from "./guard.ts";

/** More is of no use at once: a page shows the end of a log first. */
const MOST_BYTES = 1024 * 1024;
/** What of a log that is asked for as a whole is in memory. A log in a bucket, which is written anew as it grows, is smaller. */
const GULP_BYTES = 2 * 1024 * 1024;

const HEADERS = {
  "Accept-Ranges": "bytes",
  "Cache-Control": "no-store",
  "Content-Type": "text/plain; charset=utf-8",
} as const;

type Read = (range: ByteRange) => Promise<Piece | undefined>;

/** `GET /api/runs/:run/logs/:step`: a log as it lies in the lake, what the header Range asks for, or all that there is by now; 204 where there is none. */
export async function answerLog(context: Context, read: Read): Promise<Response> {
  const range = rangeIn(context.req.header("range"));
  const piece = await read(range ?? { from: 0, length: GULP_BYTES });
  if (!piece) return context.body(null, 204, { "Cache-Control": "no-store" });
  const { bytes, from, size } = piece;
  if (!range || size === 0) {
    return context.body(ReadableStream.from(whole(piece, read)), 200, { ...HEADERS, "Content-Length": String(size) });
  }
  if (bytes.length === 0) {
    context.header("Content-Range", `bytes */${size}`);
    return failure(context, 416, `The log has ${size} bytes, and none in that range.`);
  }
  return context.body(Uint8Array.from(bytes), 206, {
    ...HEADERS,
    "Content-Length": String(bytes.length),
    "Content-Range": `bytes ${from}-${from + bytes.length - 1}/${size}`,
  });
}

/** What the header asks for, as far as it is given at once; undefined where it is none that we know. */
function rangeIn(header = ""): ByteRange | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
  if (first === "") return last === "" ? undefined : { last: Math.min(Number(last), MOST_BYTES) };
  const from = Math.min(Number(first), Number.MAX_SAFE_INTEGER - MOST_BYTES);
  const length = last === "" ? MOST_BYTES : Math.min(Number(last) - from + 1, MOST_BYTES);
  return length > 0 ? { from, length } : undefined;
}

/** All that the log had when it was asked for first: one that grows as fast as it is read has an end too. */
async function* whole(first: Piece, read: Read): AsyncGenerator<Uint8Array> {
  yield first.bytes;
  for (let from = first.bytes.length; from < first.size; ) {
    const piece = await read({ from, length: Math.min(GULP_BYTES, first.size - from) });
    if (!piece?.bytes.length) throw new Error("the log was removed or cut short while it was read");
    yield piece.bytes;
    from += piece.bytes.length;
  }
}
