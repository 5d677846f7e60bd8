import { invalid } from "./errors.ts";

/** A block of IPv4 addresses: the first as a number, and how many bits are fixed. */
export interface Block {
  readonly address: number;
  readonly bits: number;
}

/** @throws UsageError when it isn't a block of addresses from /16 to /24, or doesn't begin where such a block does. */
export function cidrBlock(cidr: string): Block {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(1[6-9]|2[0-4])$/.exec(cidr);
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = match?.slice(1).map(Number) ?? [];
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  if (!match || [a, b, c, d].some((byte) => byte > 255) || address % 2 ** (32 - bits) !== 0) {
    throw invalid("cidr", cidr, 'expected a block of addresses from /16 to /24, such as "10.83.0.0/20"');
  }
  return { address, bits };
}
