import { createHash } from "node:crypto";

/** SHA-256 of a value as JSON, hexadecimal, in whatever order its keys are. */
export function digestOfJson(value: unknown): string {
  const sorted = (_key: string, one: unknown) =>
    one && typeof one === "object" && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one;
  return createHash("sha256").update(JSON.stringify(value, sorted)).digest("hex");
}
