import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createBrotliCompress, createGzip } from "node:zlib";

export const Encoding = { br: "br", gzip: "gzip", identity: "identity" } as const;
export type Encoding = (typeof Encoding)[keyof typeof Encoding];

/** The best that the client takes. */
export function negotiate(acceptEncoding: string | undefined): Encoding {
  const accepted = (acceptEncoding ?? "").split(",").map((item) => item.trim());
  // Browsers list what they take without weights; what is listed with any is left alone.
  return accepted.includes("br") ? Encoding.br : accepted.includes("gzip") ? Encoding.gzip : Encoding.identity;
}

export interface Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly encoding: Encoding;
}

/**
 * Compressed with the least effort: most readers are on this machine, and those behind a port forward gain most from that.
 * Piece by piece, so that a large text never stands in memory as a whole.
 */
export async function encode(pieces: Iterable<string | Uint8Array>, encoding: Encoding): Promise<Body> {
  const packed: Uint8Array[] = [];
  const source = Readable.from(gathered(pieces), { objectMode: false });
  const pack = { br: brotli, gzip: () => createGzip({ level: 1 }), identity: () => new PassThrough() }[encoding]();
  await pipeline(source, pack, async (output: AsyncIterable<Uint8Array>) => {
    for await (const piece of output) packed.push(piece);
  });
  return { bytes: Buffer.concat(packed), encoding };
}

/** A compressor does badly with crumbs. */
function* gathered(pieces: Iterable<string | Uint8Array>): Generator<Uint8Array> {
  let crumbs: Uint8Array[] = [];
  let size = 0;
  for (const piece of pieces) {
    crumbs.push(Buffer.from(piece as string));
    size += (crumbs.at(-1) as Uint8Array).length;
    if (size < GATHERED_BYTES) continue;
    yield Buffer.concat(crumbs);
    crumbs = [];
    size = 0;
  }
  yield Buffer.concat(crumbs);
}

const GATHERED_BYTES = 128 * 1024;

const brotli = () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

/** Headers of an answer with this body. */
export const bodyHeaders = ({ bytes, encoding }: Body) => ({
  "Content-Length": String(bytes.length),
  Vary: "Accept-Encoding",
  ...(encoding !== Encoding.identity && { "Content-Encoding": encoding }),
});
