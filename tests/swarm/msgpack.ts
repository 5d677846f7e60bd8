/** MessagePack as far as Terraform's values need it. What a plan does not know yet is an extension of type 0. */

/** A value that is known only after the change has been made. */
export const UNKNOWN: unique symbol = Symbol("unknown");

export type Value =
  | null
  | boolean
  | number
  | string
  | typeof UNKNOWN
  | readonly Value[]
  | { readonly [key: string]: Value };

export function encode(value: Value): Buffer {
  if (value === null) return Buffer.from([0xc0]);
  if (value === UNKNOWN) return Buffer.from([0xd4, 0, 0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === "number") return encodeNumber(value);
  if (typeof value === "string") {
    const text = Buffer.from(value);
    return Buffer.concat([head(text.length, [0xa0, 31], 0xd9, 0xda, 0xdb), text]);
  }
  if (Array.isArray(value)) return Buffer.concat([head(value.length, [0x90, 15], 0, 0xdc, 0xdd), ...value.map(encode)]);
  const entries = Object.entries(value).flat();
  return Buffer.concat([head(entries.length / 2, [0x80, 15], 0, 0xde, 0xdf), ...entries.map(encode)]);
}

/** The first bytes of a value that has a length; a code of 0 means that there is none for a length of one byte. */
function head(length: number, [fixed, most]: readonly [number, number], ...codes: readonly [number, number, number]) {
  const [one, two, four] = codes;
  if (length <= most) return Buffer.from([fixed | length]);
  if (one && length < 0x100) return Buffer.from([one, length]);
  if (length < 0x10000) return Buffer.from([two, length >> 8, length & 0xff]);
  const bytes = Buffer.from([four, 0, 0, 0, 0]);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function encodeNumber(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = Number.isSafeInteger(value) ? 0xd3 : 0xcb;
  if (Number.isSafeInteger(value)) bytes.writeBigInt64BE(BigInt(value), 1);
  else bytes.writeDoubleBE(value, 1);
  return bytes;
}

export function decode(bytes: Buffer): Value {
  let at = 0;
  const take = <T>(size: number, read: (offset: number) => T): T => {
    at += size;
    return read(at - size);
  };
  const uint = (size: number) => take(size, (offset) => bytes.readUIntBE(offset, size));
  const text = (length: number) => take(length, (offset) => bytes.toString("utf8", offset, offset + length));
  const list = (length: number): Value[] => Array.from({ length }, next);
  const map = (length: number): Value => Object.fromEntries(Array.from({ length }, () => [next() as string, next()]));
  /** Of an unknown value's extension only that it is one matters, not what else is known about it. */
  const extension = (length: number): Value => take<Value>(length + 1, () => UNKNOWN);
  const codes: Record<number, () => Value> = {
    192: () => null,
    194: () => false,
    195: () => true,
    196: () => text(uint(1)),
    197: () => text(uint(2)),
    199: () => extension(uint(1)),
    200: () => extension(uint(2)),
    202: () => take(4, (offset) => bytes.readFloatBE(offset)),
    203: () => take(8, (offset) => bytes.readDoubleBE(offset)),
    204: () => uint(1),
    205: () => uint(2),
    206: () => uint(4),
    207: () => take(8, (offset) => Number(bytes.readBigUInt64BE(offset))),
    208: () => take(1, (offset) => bytes.readInt8(offset)),
    209: () => take(2, (offset) => bytes.readInt16BE(offset)),
    210: () => take(4, (offset) => bytes.readInt32BE(offset)),
    211: () => take(8, (offset) => Number(bytes.readBigInt64BE(offset))),
    212: () => extension(1),
    213: () => extension(2),
    214: () => extension(4),
    215: () => extension(8),
    216: () => extension(16),
    217: () => text(uint(1)),
    218: () => text(uint(2)),
    219: () => text(uint(4)),
    220: () => list(uint(2)),
    221: () => list(uint(4)),
    222: () => map(uint(2)),
    223: () => map(uint(4)),
  };
  function next(): Value {
    const code = uint(1);
    if (code < 0x80) return code;
    if (code < 0x90) return map(code & 15);
    if (code < 0xa0) return list(code & 15);
    if (code < 0xc0) return text(code & 31);
    if (code >= 0xe0) return code - 0x100;
    const read = codes[code];
    if (!read) throw new Error(`MessagePack's code 0x${code.toString(16)} was not expected`);
    return read();
  }
  return next();
}
