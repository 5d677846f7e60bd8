/** A node of the tree that DuckDB makes of SQL (`json_serialize_sql`). */
export type Node = Readonly<Record<string, unknown>>;

/** Every node below one, itself included. */
export function* nodesOf(value: unknown): Generator<Node> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Node;
  for (const child of Object.values(value)) yield* nodesOf(child);
}
