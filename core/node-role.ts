/** What a machine of a fleet is for: value of tag `oneoff:role`. Apart from fleet-lake.ts, whose shapes are no part of the package's types. */
export const NodeRole = { head: "head", data: "data", worker: "worker" } as const;
export type NodeRole = (typeof NodeRole)[keyof typeof NodeRole];
