/** A secret that is made here: letters, digits, "-" and "_". */
import { randomBytes } from "node:crypto";
import type { ResourceKind } from "./resource.ts";

const BYTES = 24;

export const secret: ResourceKind = {
  check: () => [],
  diff: () => ({ changes: false }),
  create: async (urn) => ({
    id: urn.split("::").at(-1) as string,
    outs: { value: randomBytes(BYTES).toString("base64url") },
  }),
  read: async (state) => state,
  update: async (state) => state,
  delete: async () => {},
  inputsOf: () => ({}),
};
