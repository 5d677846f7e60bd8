/**
 * Uploads of streams to Google Cloud Storage that become objects at their end or never
 * (https://cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload). Each piece is kept until Google
 * has it, so that a request that was lost on the way is made again.
 */
import { addAbortSignal, type Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** A multiple of 256 KiB, as Google wants it. Several uploads at once fit into little memory. */
const PIECE = 2 << 20;
const ATTEMPTS = 4;

/**
 * @param session address of a resumable upload that was begun, which is all that it takes to write to it.
 * @throws whatever the stream fails with, or `signal` is aborted with: then nothing is left.
 */
export async function upload(session: string, content: Readable, signal: AbortSignal): Promise<void> {
  const send = (piece: Buffer<ArrayBuffer>, start: number, total: number | undefined) =>
    sendPiece(session, piece, start, total, signal);
  try {
    let held: Buffer<ArrayBuffer>[] = [];
    let size = 0;
    let start = 0;
    signal.throwIfAborted();
    for await (const chunk of addAbortSignal(signal, content)) {
      held.push(Buffer.from(chunk));
      size += chunk.length;
      // The last piece is not sent before it is known to be that.
      while (size > PIECE) {
        const all = Buffer.concat(held);
        await send(all.subarray(0, PIECE), start, undefined);
        start += PIECE;
        held = [all.subarray(PIECE)];
        size -= PIECE;
      }
    }
    signal.throwIfAborted();
    await send(Buffer.concat(held), start, start + size);
  } catch (error) {
    await fetch(session, { method: "DELETE", signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    throw signal.aborted ? signal.reason : error;
  }
}

/** Sends one piece, and again what of it has not arrived. */
async function sendPiece(
  session: string,
  piece: Buffer<ArrayBuffer>,
  start: number,
  total: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  let arrived: number | undefined = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (arrived === undefined) arrived = await received(session, total, start, piece.length, signal);
      if (arrived === undefined || (arrived === piece.length && total === undefined)) return;
      const rest = piece.subarray(arrived);
      const from = start + arrived;
      const range = rest.length > 0 ? `${from}-${from + rest.length - 1}` : "*";
      const response = await put(session, `bytes ${range}/${total ?? "*"}`, signal, rest);
      if (response.ok) return;
      if (response.status === 308 && total === undefined) {
        arrived = arrivedOf(response, start, piece.length);
        if (arrived === piece.length) return;
        continue;
      }
      await refuse(response);
    } catch (error) {
      if (signal.aborted || error instanceof Refused || attempt >= ATTEMPTS) throw error;
      await sleep(attempt * 300, undefined, { signal });
    }
    arrived = undefined;
  }
}

/** How much of a piece has arrived, undefined when the whole upload has. */
async function received(
  session: string,
  total: number | undefined,
  start: number,
  length: number,
  signal: AbortSignal,
) {
  const response = await put(session, `bytes */${total ?? "*"}`, signal);
  if (response.ok) return undefined;
  if (response.status !== 308) await refuse(response);
  return arrivedOf(response, start, length);
}

const put = (session: string, range: string, signal: AbortSignal, body?: Buffer<ArrayBuffer>) =>
  fetch(session, {
    method: "PUT",
    headers: { "Content-Range": range },
    body: body ?? null,
    signal,
  });

/** How much Google has of a piece: "bytes=0-42" names the last byte that it has of all. */
function arrivedOf(response: Response, start: number, length: number): number {
  const end = Number(/-(\d+)$/.exec(response.headers.get("range") ?? "")?.[1] ?? -1) + 1;
  if (end < start) throw new Refused("Google Cloud Storage has lost what it had of an upload");
  return Math.min(end - start, length);
}

/** Google won't have it: asking again changes nothing. */
class Refused extends Error {}

async function refuse(response: Response): Promise<never> {
  const text = (await response.text()).replace(/\s+/g, " ").trim().slice(0, 300);
  const message = `Google Cloud Storage answers ${response.status}${text && `: ${text}`}`;
  throw response.status >= 500 || response.status === 429 || response.status === 408
    ? new Error(message)
    : new Refused(message);
}
