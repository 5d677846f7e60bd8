import { SqlEngine } from "../../../core/sql-engine.ts";
import type { Table } from "../../../core/table.ts";
import type { Node } from "./node.ts";
import type { Fault } from "./problem.ts";

type Names = ReadonlyMap<string, readonly string[]>;

/** Which names mean what in a SELECT: DuckDB lets more of them be used than others do. */
export class Scope {
  /** Columns of each table and of what stands in a WITH. */
  readonly #columns: Names;

  constructor(tables: readonly Table[] | Names) {
    this.#columns =
      tables instanceof Map
        ? tables
        : new Map(
            (tables as readonly Table[]).map(({ name, columns }) => [name, columns.map((column) => column.name)]),
          );
  }

  *faults(query: Node): Generator<Fault> {
    const inner = this.#within(query);
    if (query.type === "SELECT_NODE") yield* inner.#select(query);
    for (const { value } of commonTables(query)) yield* inner.faults(queryOf((value as Node).query));
    for (const side of ["left", "right"]) if (isQuery(query[side])) yield* inner.faults(query[side]);
    for (const below of nearest(query)) yield* inner.faults(below);
  }

  /** Names of the columns that a query returns, as far as they have some. */
  #results(query: Node): readonly string[] {
    const inner = this.#within(query);
    if (query.type !== "SELECT_NODE") return isQuery(query.left) ? inner.#results(query.left) : [];
    return (query.select_list as readonly Node[]).flatMap((item) => {
      if (item.class === "STAR") return inner.#tables(query.from_table);
      return nameOf(item) ?? [];
    });
  }

  #within(query: Node): Scope {
    let scope: Scope = this;
    for (const { key, value } of commonTables(query)) {
      const results = scope.#results(queryOf((value as Node).query));
      scope = new Scope(new Map([...scope.#columns, [key as string, results]]));
    }
    return scope;
  }

  /** Columns of what stands after FROM. */
  #tables(from: unknown): readonly string[] {
    const node = from as Node;
    if (node.type === "BASE_TABLE") return this.#columns.get(node.table_name as string) ?? [];
    if (node.type === "SUBQUERY") return this.#results(queryOf(node.subquery));
    return [node.left, node.right].filter(Boolean).flatMap((side) => this.#tables(side));
  }

  *#select(query: Node): Generator<Fault> {
    const columns = this.#tables(query.from_table);
    const items = query.select_list as readonly Node[];
    const results = items.flatMap(({ alias }) =>
      alias && !columns.includes(alias as string) ? [alias as string] : [],
    );
    const clauses = [
      { clause: "WHERE", of: query.where_clause, engines: [SqlEngine.athena, SqlEngine.bigquery] },
      { clause: "SELECT", of: items, engines: [SqlEngine.athena, SqlEngine.bigquery] },
      { clause: "GROUP BY", of: query.group_expressions, engines: [SqlEngine.athena] },
      { clause: "HAVING", of: query.having, engines: [SqlEngine.athena] },
    ];
    for (const { clause, of, engines } of clauses) {
      const used = results.find((result) => references(of).has(result));
      if (used === undefined) continue;
      yield {
        engines,
        what: `names ${used} in ${clause}, a result of the same SELECT, which ${engines.join(" and ")} can't`,
        cure: "repeat what it stands for, or put the SELECT into another",
      };
    }
    // What DuckDB has by itself: the job's own tables, and those that are not there, it tells of.
    for (const { type, table_name, schema_name } of tablesOf(query.from_table)) {
      if (type !== "BASE_TABLE" || !(schema_name || /^(duckdb|pragma|sqlite|pg)_/.test(String(table_name)))) continue;
      yield {
        what: `reads ${table_name}, which is no table of the job`,
        cure: "the job's tables stand in braces: {name}",
      };
    }
  }
}

const isQuery = (value: unknown): value is Node => /_NODE$/.test(String((value as Node | undefined)?.type));
const queryOf = (value: unknown): Node => (value as { readonly node: Node }).node;
const commonTables = (query: Node) => ((query.cte_map as Node | undefined)?.map ?? []) as readonly Node[];

const nameOf = ({ alias, column_names }: Node): string | undefined =>
  (alias as string) || (column_names as readonly string[] | undefined)?.at(-1);

/** Queries right below one that stand in no WITH and on no side of a UNION. */
function* nearest(value: unknown, isTop = true): Generator<Node> {
  if (typeof value !== "object" || value === null) return;
  if (!isTop && isQuery(value)) return yield value;
  for (const [key, child] of Object.entries(value)) {
    const isSide = isTop && (key === "left" || key === "right") && isQuery(child);
    if (key !== "cte_map" && !isSide) yield* nearest(child, false);
  }
}

/** Names that stand alone in an expression, without those of queries in it. */
function references(value: unknown): ReadonlySet<string> {
  const found = new Set<string>();
  const look = (each: unknown): void => {
    if (typeof each !== "object" || each === null || isQuery(each)) return;
    const names = (each as Node).column_names as readonly string[] | undefined;
    if (names?.length === 1) found.add(names[0] as string);
    Object.values(each).forEach(look);
  };
  look(value);
  return found;
}

/** What stands after FROM, without what is in brackets. */
function* tablesOf(from: unknown): Generator<Node> {
  const node = from as Node;
  if (node.type !== "JOIN") return yield node;
  yield* tablesOf(node.left);
  yield* tablesOf(node.right);
}
