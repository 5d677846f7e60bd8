import { listed, reservedBy, SqlEngine } from "../../../core/sql-engine.ts";
import { ColumnType, type Table } from "../../../core/table.ts";
import { type Node, nodesOf, typesIn } from "./node.ts";
import type { Fault } from "./problem.ts";
import { Scope } from "./scope.ts";
import { outside } from "./tokens.ts";

/**
 * What keeps a panel's SQL from meaning the same to all engines. What is not known to do so is a fault: what DuckDB may
 * learn to parse is refused until it is looked up in all three manuals.
 *
 * @param sql with the tables' names for its placeholders
 */
export function* meaning(tree: Node, sql: string, tables: readonly Table[]): Generator<Fault> {
  yield* new Scope(tables).faults(tree);
  const types = [...typesIn(tree, tables)].map(([name, of]) => ({ name, of: [...of] }));
  const doubles = new Set(
    types.filter(({ of }) => of.every((type) => type === ColumnType.double)).map(({ name }) => name),
  );
  for (const node of nodesOf(tree)) {
    const { type, alias } = node;
    if (typeof alias === "string") yield* name(alias);
    if ("class" in node) yield* expression(node, sql, doubles);
    else if (typeof type === "string" && !type.endsWith("TYPE_INFO")) yield* part(type, node);
  }
}

const given = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== null && value !== undefined && value !== false && value !== "";

/** DuckDB has read it as a name. */
function* name(name: string, except: readonly SqlEngine[] = []): Generator<Fault> {
  const engines = reservedBy(name).filter((engine) => engine !== SqlEngine.duckdb && !except.includes(engine));
  if (engines.length === 0) return;
  yield {
    engines,
    what: `has the name ${name}, a word of SQL that ${listed(engines)} ${engines.length > 1 ? "reserve" : "reserves"}`,
    cure: "call it otherwise",
  };
}

const OPERATORS = ["+", "-", "*", "/", "||", "~~", "!~~"];
const CALLS = [
  "OPERATOR_NOT",
  "OPERATOR_IS_NULL",
  "OPERATOR_IS_NOT_NULL",
  "OPERATOR_COALESCE",
  "COMPARE_IN",
  "COMPARE_NOT_IN",
];
const PLAIN = ["COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "CASE", "BETWEEN", "SUBQUERY"];
const NOW = /^(current|local)_?(date|time|timestamp|user|role|schema|catalog)$/i;

function* expression(node: Node, sql: string, doubles: ReadonlySet<string>): Generator<Fault> {
  const kind = String(node.class);
  if (kind === "FUNCTION") yield* call(node, sql, doubles);
  else if (kind === "WINDOW") {
    const { exclude_clause, ignore_nulls, distinct, filter_expr, arg_orders } = node;
    const more = exclude_clause !== "NO_OTHER" || [ignore_nulls, distinct, filter_expr, arg_orders].some(given);
    if (more)
      yield outside("has a window with FILTER, EXCLUDE, DISTINCT, IGNORE NULLS or an inner ORDER BY", "leave it out");
  } else if (kind === "CAST") {
    if (node.try_cast) {
      yield { engines: [SqlEngine.bigquery], what: "uses TRY_CAST, which BigQuery doesn't have", cure: "write CAST" };
    }
  } else if (kind === "STAR") {
    if ([node.exclude_list, node.replace_list, node.rename_list, node.columns, node.expr].some(given)) {
      yield outside("selects with EXCLUDE, REPLACE, RENAME, COLUMNS or ALL", "name the columns");
    }
  } else if (kind === "OPERATOR") {
    if (!CALLS.includes(String(node.type))) yield outside(`uses ${spelt(node.type)}`, "leave it out");
  } else if (!PLAIN.includes(kind)) yield outside(`uses ${spelt(kind)}`, "leave it out");
  const names = (node.column_names ?? []) as readonly string[];
  const [first = ""] = names;
  if (names.length === 1 && NOW.test(first)) {
    yield outside(`uses ${first.toUpperCase()}`, "a run's rows are the same at any time: leave it out");
  } else {
    yield* name(first);
    // BigQuery takes any word behind a point (https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#path_expressions).
    for (const each of names.slice(1)) yield* name(each, [SqlEngine.bigquery]);
  }
}

const spelt = (word: unknown): string => String(word).toLowerCase().replaceAll("_", " ");

function* call(node: Node, sql: string, doubles: ReadonlySet<string>): Generator<Fault> {
  const { function_name: operator, is_operator, filter, order_bys, children } = node;
  if (given(filter)) {
    yield {
      engines: [SqlEngine.bigquery],
      what: "has an aggregate with FILTER, which BigQuery doesn't have",
      cure: "put a CASE into the aggregate",
    };
  }
  if (given((order_bys as Node | undefined)?.orders)) yield outside("has an aggregate with ORDER BY", "leave it out");
  if (!is_operator) return;
  if (operator === "%") {
    yield { engines: [SqlEngine.bigquery], what: "uses %, which BigQuery doesn't have", cure: "write it with FLOOR" };
  } else if (!OPERATORS.includes(String(operator))) yield outside(`uses the operator ${operator}`, "leave it out");
  if (operator !== "/" || isDouble(children, doubles)) return;
  const before = Buffer.from(sql).subarray(0, Number(node.query_location)).toString();
  const [dividend] = /\S+\s*$/.exec(before) ?? [""];
  const [divisor] = /^\/\s*[\w.]*/.exec(sql.slice(before.length)) ?? [""];
  yield {
    engines: [SqlEngine.athena],
    what: `divides in "${dividend}${divisor}", and Athena truncates integers`,
    cure: "multiply what is divided by 1e0 first: a * 1e0 / b",
  };
}

const DOUBLES = ["avg", "exp", "ln", "power", "sqrt", "stddev_samp", "var_samp"];
/** What stands in them says nothing of what they are. */
const WHOLE = ["count", "count_star", "length", "date_part"];

/** Whether a number is a double, as far as can be told: what is made of one by arithmetic is one too. */
function isDouble(value: unknown, doubles: ReadonlySet<string>): boolean {
  if (Array.isArray(value)) return value.some((each) => isDouble(each, doubles));
  if (typeof value !== "object" || value === null) return false;
  const node = value as Node;
  if (node.class === "CONSTANT") return ((node.value as Node).type as Node).id === "DOUBLE";
  if (node.class === "COLUMN_REF") return doubles.has((node.column_names as readonly string[]).at(-1) as string);
  const called = String(node.function_name).toLowerCase();
  if (DOUBLES.includes(called)) return true;
  if (node.class === "FUNCTION" || node.class === "WINDOW")
    return !WHOLE.includes(called) && isDouble(node.children, doubles);
  if (node.type === "OPERATOR_COALESCE") return isDouble(node.children, doubles);
  const { case_checks = [], else_expr } = node as {
    readonly case_checks?: readonly Node[];
    readonly else_expr?: unknown;
  };
  return node.class === "CASE" && isDouble([...case_checks.map(({ then_expr }) => then_expr), else_expr], doubles);
}

/** Parts of a SELECT that are no expressions. */
function* part(type: string, node: Node): Generator<Fault> {
  if (type === "SELECT_NODE") yield* select(node);
  else if (type === "SET_OPERATION_NODE") {
    if (node.setop_type !== "UNION") yield outside(`has ${spelt(node.setop_type).toUpperCase()}`, "write it with JOIN");
    else if (!node.setop_all) {
      yield {
        engines: [SqlEngine.bigquery],
        what: "has a UNION without ALL, which BigQuery refuses",
        cure: "write UNION ALL",
      };
    }
  } else if (type === "LIMIT_MODIFIER") {
    if (given(node.offset)) {
      yield {
        engines: [SqlEngine.athena],
        what: "has OFFSET after LIMIT, which Athena refuses",
        cure: "leave OFFSET out",
      };
    }
    if ((node.limit as Node | null)?.class !== "CONSTANT")
      yield outside("has a LIMIT that is no number", "write a number");
  } else if (type === "DISTINCT_MODIFIER") {
    if (given(node.distinct_on_targets)) yield outside("has DISTINCT ON", "use ROW_NUMBER");
  } else if (type === "JOIN") {
    const isKnown = ["INNER", "LEFT", "RIGHT", "OUTER"].includes(String(node.join_type));
    if (!isKnown || !["REGULAR", "CROSS"].includes(String(node.ref_type))) {
      yield outside("has a join of another kind", "write INNER, LEFT, RIGHT, FULL or CROSS JOIN");
    }
  } else if ("null_order" in node) {
    if (node.null_order === "ORDER_DEFAULT" && type !== "DESCENDING") {
      yield {
        engines: [SqlEngine.bigquery],
        what: "has an ORDER BY without NULLS FIRST or NULLS LAST, and BigQuery puts nulls elsewhere",
        cure: "say which",
      };
    }
  } else if (!["BASE_TABLE", "SUBQUERY", "EMPTY", "ORDER_MODIFIER"].includes(type)) {
    yield outside(`has ${spelt(type)}`, "leave it out");
  }
  if (given(node.sample)) yield outside("has a sample", "leave it out");
  if (given(node.column_name_alias)) yield renames;
}

const renames: Fault = {
  engines: [SqlEngine.bigquery],
  what: "names columns behind a table's name, which BigQuery doesn't know",
  cure: "name them in the SELECT, with AS",
};

function* select(node: Node): Generator<Fault> {
  const only = (what: string, cure: string): Fault => ({
    engines: [SqlEngine.athena],
    what: `has ${what}, which Athena doesn't know`,
    cure,
  });
  if (given(node.qualify)) yield only("QUALIFY", "put the SELECT into another, with WHERE");
  if (node.aggregate_handling !== "STANDARD_HANDLING") yield only("GROUP BY ALL", "name the columns");
  const { map } = node.cte_map as { readonly map: readonly { readonly key: string; readonly value: Node }[] };
  for (const { key, value } of map) {
    yield* name(key);
    if (given(value.aliases)) yield renames;
    if (value.materialized !== "CTE_MATERIALIZE_DEFAULT") yield outside("has MATERIALIZED", "leave it out");
  }
}
