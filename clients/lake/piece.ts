/** Some bytes of a file: so many from a position on, or the last ones. */
export type ByteRange = { readonly from: number; readonly length: number } | { readonly last: number };

/** What a file has in a range. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Position of the first of them: the file's size where the range begins after its end. */
  readonly from: number;
  /** Of the whole file, at that moment. */
  readonly size: number;
}

/** Where a range begins in a file of a size, and how many bytes it has there. */
export function within(range: ByteRange, size: number): { readonly from: number; readonly length: number } {
  const from = "last" in range ? Math.max(0, size - range.last) : Math.min(range.from, size);
  return { from, length: Math.min("last" in range ? range.last : range.length, size - from) };
}
