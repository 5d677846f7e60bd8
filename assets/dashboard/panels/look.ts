import { type DuckDBConnection, DuckDBInstance, StatementType } from "@duckdb/node-api";
import type { Job } from "../../../core/job.ts";
import type { Panel } from "../../../core/panel.ts";
import { fill, placeholders } from "../../../core/placeholders.ts";
import { SqlEngine } from "../../../core/sql-engine.ts";
import { type ColumnType, ColumnType as Types } from "../../../core/table.ts";
import { columnType } from "../engines/duckdb/columns.ts";
import { literal, relation } from "../engines/duckdb/relation.ts";
import { drawing, type Returned } from "./chart.ts";
import { comparisons } from "./compare.ts";
import type { Node } from "./node.ts";
import type { Fault, Problem } from "./problem.ts";
import { spelling } from "./tokens.ts";
import { meaning } from "./tree.ts";

/** What of a job is looked at. */
export type Shown = Pick<Job, "tables" | "panels">;

/** Looks at a job's panels: each is prepared by DuckDB on tables that have no rows, and none is run. */
export async function lookAt(job: Shown): Promise<readonly Problem[]> {
  if (job.panels.length === 0) return [];
  const database = await DuckDBInstance.create(":memory:", {
    threads: "1",
    enable_external_access: "false",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    lock_configuration: "true",
  });
  const connection = await database.connect();
  try {
    const found: Problem[] = [];
    for (const panel of job.panels) {
      for await (const fault of faultsOf(connection, panel, job)) found.push({ panel: panel.name, ...fault });
    }
    return found;
  } finally {
    connection.closeSync();
    database.closeSync();
  }
}

async function* faultsOf(connection: DuckDBConnection, panel: Panel, { tables }: Shown): AsyncGenerator<Fault> {
  const plain = fill(panel.sql, (name) => name);
  const tree = await treeOf(connection, plain);
  if (typeof tree === "string") return yield { what: `has SQL that can't be read, ${tree}`, cure: "correct its sql" };
  yield* spelling(plain);
  yield* meaning(tree, plain, tables);
  yield* comparisons(tree, tables);
  const empty = new Map(tables.map((table) => [table.name, relation(table, [])]));
  const read = tables.filter(({ name }) => placeholders(panel.sql).includes(name));
  const text = fill(panel.sql, (name) => empty.get(name) ?? name);
  const columns = await returned(connection, text).catch((error: Error) => error);
  if (columns instanceof Error) {
    return yield refused(columns, [...new Set(read.flatMap((table) => table.columns.map(({ name }) => name)))]);
  }
  yield* results(columns);
  yield* drawing(panel.chart, panel.choice, columns as readonly Returned[]);
}

/** The tree of a SELECT, or what is wrong with it. */
async function treeOf(connection: DuckDBConnection, sql: string): Promise<Node | string> {
  const reader = await connection.runAndReadAll(`SELECT json_serialize_sql(${literal(sql)})`);
  const answer = JSON.parse(String(reader.getRows()[0]?.[0])) as {
    readonly error_message?: string;
    readonly statements?: readonly { readonly node: Node }[];
  };
  const [statement] = answer.statements ?? [];
  const said = answer.error_message ?? "";
  return statement?.node ?? (said.startsWith("Only SELECT") ? "it must be one SELECT" : said);
}

interface Column {
  readonly name: string;
  /** Undefined for a type that no table has. */
  readonly type: ColumnType | undefined;
  readonly said: string;
}

async function returned(connection: DuckDBConnection, sql: string): Promise<readonly Column[]> {
  const statement = await connection.prepare(sql);
  try {
    if (statement.statementType !== StatementType.SELECT) throw new Error("it is no SELECT");
    return Array.from({ length: statement.columnCount }, (_, at) => ({
      name: statement.columnName(at),
      type: columnType(statement.columnType(at)),
      said: String(statement.columnType(at)),
    }));
  } finally {
    statement.destroySync();
  }
}

function* results(columns: readonly Column[]): Generator<Fault> {
  for (const [at, { name, type, said }] of columns.entries()) {
    if (type === undefined) {
      const types = Object.keys(Types).join(", ");
      yield { what: `returns ${name} of type ${said}`, cure: `cast it to one of ${types}` };
    }
    if (columns.findIndex((other) => other.name.toLowerCase() === name.toLowerCase()) < at) {
      yield { what: `returns two columns called ${name}`, cure: "call one otherwise, with AS" };
    } else if (!/^\w+$/.test(name)) {
      yield {
        engines: [SqlEngine.athena, SqlEngine.bigquery],
        what: `returns ${name} without a name, which each engine makes up by itself`,
        cure: "give it one, with AS",
      };
    } else if (name !== name.toLowerCase()) {
      yield {
        engines: [SqlEngine.athena],
        what: `returns ${name}, which Athena calls ${name.toLowerCase()}`,
        cure: `call it ${name.toLowerCase()}`,
      };
    }
  }
}

/** What DuckDB says, in the words of a job. */
function refused({ message }: Error, columns: readonly string[]): Fault {
  const [, column] = /Referenced column "([^"]+)" (?:was )?not found/.exec(message) ?? [];
  if (column !== undefined && columns.length > 0) {
    return { what: `names column ${column}, which its tables don't have`, cure: `they have ${columns.join(", ")}` };
  }
  const [, table] = /Table with name (\S+) does not exist/.exec(message) ?? [];
  if (table !== undefined)
    return { what: `reads ${table}, which is no table`, cure: "the job's tables stand in braces: {name}" };
  const said = (message.split("\n")[0] as string).replace(/^\w+ Error: /, "").replace(/[.!]$/, "");
  return { what: `is refused by DuckDB, ${said}`, cure: "correct its sql" };
}
