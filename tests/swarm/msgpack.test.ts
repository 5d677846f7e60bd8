import { expect, test } from "vitest";
import { decode, encode, UNKNOWN, type Value } from "./msgpack.ts";

test("what is unknown comes back as it was, wherever it is", () => {
  const value: Value = { a: { b: [UNKNOWN, "c", null] }, d: UNKNOWN };
  expect(decode(encode(value))).toEqual(value);
});

test("what is unknown is written as Terraform writes it", () => {
  expect(encode(UNKNOWN).toString("hex")).toBe("d40000");
});

test("what is unknown stays so, whatever else is known about it", () => {
  expect(decode(Buffer.from("c7030c8101c2", "hex"))).toBe(UNKNOWN);
});
