import { describe, expect, test } from "vitest";
import { decode, encode, UNKNOWN, type Value } from "./msgpack.ts";

describe("MessagePack", () => {
  const values: Readonly<Record<string, Value>> = {
    scalars: [null, true, false, "", "é".repeat(300), "x".repeat(70_000)],
    numbers: [0, -1, 127, 128, -33, 1.5, 2 ** 40, -(2 ** 40)],
    collections: [[], {}, { a: { b: [UNKNOWN, "c"] } }, Array.from({ length: 70_000 }, (_, at) => at)],
  };
  test.each(Object.entries(values))("%s come back as they were", (_, value) => {
    expect(decode(encode(value))).toEqual(value);
  });

  test("short forms, which only a provider writes, are read", () => {
    expect(decode(Buffer.from("9605cc80cd0100d0ffff c0".replace(" ", ""), "hex"))).toEqual([5, 128, 256, -1, -1, null]);
  });

  test("what is unknown stays so, whatever else is known about it", () => {
    expect(decode(Buffer.from("c7030c8101c2", "hex"))).toBe(UNKNOWN);
  });

  test("a code that MessagePack does not have is refused", () => {
    expect(() => decode(Buffer.from("c1", "hex"))).toThrow("code 0xc1");
  });
});
