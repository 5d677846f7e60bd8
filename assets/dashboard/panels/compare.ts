import { SqlEngine } from "../../../core/sql-engine.ts";
import type { ColumnType, Table } from "../../../core/table.ts";
import { type Node, nodesOf, typesIn } from "./node.ts";
import type { Fault } from "./problem.ts";

type Kind = "text" | "a number" | "a boolean" | "a time";

const KIND: Readonly<Record<ColumnType, Kind>> = {
  string: "text",
  integer: "a number",
  double: "a number",
  decimal: "a number",
  boolean: "a boolean",
  timestamp: "a time",
  date: "a time",
};

/** What DuckDB makes alike in silence before it compares, and the others refuse to. */
export function* comparisons(tree: Node, tables: readonly Table[]): Generator<Fault> {
  const kinds = kindsOf(tree, tables);
  const kind = (node: unknown) => kindOf(node as Node | undefined, kinds);
  for (const node of nodesOf(tree)) {
    const [first, ...others] =
      node.class === "COMPARISON"
        ? [node.left, node.right]
        : node.class === "BETWEEN"
          ? [node.input, node.lower, node.upper]
          : node.type === "COMPARE_IN" || node.type === "COMPARE_NOT_IN"
            ? (node.children as readonly unknown[])
            : [];
    const one = kind(first);
    const other = others.find((each) => kind(each) !== undefined && kind(each) !== one);
    if (one === undefined || other === undefined) continue;
    const isDay = [first, other].some((each) => (each as Node).class === "CONSTANT" && kind(each) === "text");
    const hasTime = one === "a time" || kind(other) === "a time";
    yield {
      engines: isDay && hasTime ? [SqlEngine.athena] : [SqlEngine.athena, SqlEngine.bigquery],
      what: `compares ${one} with ${kind(other)}, which ${isDay && hasTime ? "Athena refuses" : "Athena and BigQuery refuse"}`,
      cure: hasTime ? "write the day as DATE '2012-01-31'" : "compare what is of one type",
    };
  }
}

/** Of names that mean one kind of value wherever they stand. */
function kindsOf(tree: Node, tables: readonly Table[]): ReadonlyMap<string, Kind> {
  const kinds = [...typesIn(tree, tables)].map(([name, types]) => ({
    name,
    of: [...new Set([...types].map((type) => KIND[type]))],
  }));
  return new Map(
    kinds.flatMap(({ name, of: [kind, ...others] }) => (kind && others.length === 0 ? [[name, kind]] : [])),
  );
}

const CONSTANTS: Readonly<Record<string, Kind>> = {
  VARCHAR: "text",
  INTEGER: "a number",
  BIGINT: "a number",
  DOUBLE: "a number",
  DECIMAL: "a number",
  BOOLEAN: "a boolean",
  DATE: "a time",
  TIMESTAMP: "a time",
};

function kindOf(node: Node | undefined, kinds: ReadonlyMap<string, Kind>): Kind | undefined {
  const id = (type: unknown) => CONSTANTS[String((type as Node | undefined)?.id)];
  if (node?.class === "COLUMN_REF") return kinds.get((node.column_names as readonly string[]).at(-1) as string);
  if (node?.class === "CAST") return id(node.cast_type);
  return node?.class === "CONSTANT" ? id((node.value as Node).type) : undefined;
}
