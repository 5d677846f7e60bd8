import type { ColumnType, Table } from "../../../core/table.ts";

/** A node of the tree that DuckDB makes of SQL (`json_serialize_sql`). */
export type Node = Readonly<Record<string, unknown>>;

/** Every node below one, itself included. */
export function* nodesOf(value: unknown): Generator<Node> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Node;
  for (const child of Object.values(value)) yield* nodesOf(child);
}

/** The types of the columns that a query reads, by name. What is also the name of something else is left out. */
export function typesIn(tree: Node, tables: readonly Table[]): ReadonlyMap<string, ReadonlySet<ColumnType>> {
  const nodes = [...nodesOf(tree)];
  const read = new Set(nodes.map(({ table_name }) => table_name));
  const types = new Map<string, Set<ColumnType>>();
  for (const { name, type } of tables.filter((table) => read.has(table.name)).flatMap(({ columns }) => columns)) {
    types.set(name, (types.get(name) ?? new Set()).add(type));
  }
  for (const { alias } of nodes) types.delete(String(alias));
  return types;
}
