import { SqlEngine } from "../../../core/sql-engine.ts";
import type { Fault } from "./problem.ts";
import { FUNCTIONS } from "./subset.ts";

/** What DuckDB's tree of a panel no longer tells: how things were spelt. */
export function* spelling(sql: string): Generator<Fault> {
  const tokens = tokensOf(sql);
  for (const [at, token] of tokens.entries()) {
    const [before = "", after = ""] = [tokens[at - 1], tokens[at + 1]];
    const [word, previous] = [token.toUpperCase(), before.toUpperCase()];
    if (/^\w+$/.test(token) && after === "(" && !isFunction(word, previous)) {
      yield outside(`uses ${word}`, "docs/jobs.md lists the functions that all engines have");
    }
    if (token.startsWith('"')) {
      yield {
        engines: [SqlEngine.bigquery],
        what: `quotes the name ${token}, which is text to BigQuery`,
        cure: "write it without quotes",
      };
    }
    if (/^'/.test(token) && /\\|.''/.test(token.slice(0, -1))) {
      yield {
        engines: [SqlEngine.bigquery],
        what: `has the text ${token}, in which BigQuery reads the backslash or the doubled quote otherwise`,
        cure: "take a text without them",
      };
    }
    if (token === "," && /^(\)|FROM|)$/i.test(after)) {
      yield {
        engines: [SqlEngine.athena],
        what: "ends a list with a comma, which Athena refuses",
        cure: "leave it out",
      };
    }
    const only = ONLY_DUCKDB[word] ?? (token === "(" && after.toUpperCase() === "FROM" ? "write SELECT * FROM" : "");
    if (only) yield outside(`has ${token === "(" ? "a FROM without SELECT" : token}`, only);
    if (/^\d/.test(token) && !/^\d+(\.\d+)?(e[+-]?\d+)?$/i.test(token)) {
      yield outside(`has the number ${token}`, "write it with digits, a point and an exponent");
    }
  }
  yield* casts(tokens);
}

/** A fault of what DuckDB takes, and of the other engines perhaps none. */
export const outside = (what: string, cure: string): Fault => ({
  engines: [SqlEngine.athena, SqlEngine.bigquery],
  what: `${what}, which is not in the SQL that Athena and BigQuery share with DuckDB`,
  cure,
});

const NAMES: ReadonlySet<string> = new Set(Object.values(FUNCTIONS).flat());

/** Words of SQL that stand before a bracket and call nothing. */
const WORDS: ReadonlySet<string> = new Set(
  "SELECT DISTINCT FROM JOIN ON USING WHERE AND OR NOT IN EXISTS IS LIKE BETWEEN BY HAVING WHEN THEN ELSE AS OVER WITH UNION EXCEPT INTERSECT LIMIT WINDOW FILTER ROLLUP CUBE SETS QUALIFY RECURSIVE MATERIALIZED EXCLUDE REPLACE RENAME VALUES".split(
    " ",
  ),
);

/** UNION ALL (SELECT ...) is one; so is the name of what stands in a WITH, or of a table, and its columns: the tree tells. */
const isFunction = (word: string, previous: string): boolean =>
  NAMES.has(word) ||
  WORDS.has(word) ||
  (word === "ALL" && previous === "UNION") ||
  ["AS", "WITH", "RECURSIVE", ")"].includes(previous);

const ONLY_DUCKDB: Readonly<Record<string, string>> = {
  "::": "write CAST(... AS ...)",
  "==": "write =",
  ISNULL: "write IS NULL",
  NOTNULL: "write IS NOT NULL",
};

/** Types that each engine has by that name; those that mean the same to all are in the subset. */
const ATHENA_TYPES = "BOOLEAN TINYINT SMALLINT INTEGER INT BIGINT REAL DOUBLE DECIMAL VARCHAR CHAR DATE TIME TIMESTAMP";
const BIGQUERY_TYPES =
  "BOOL BOOLEAN INT64 INT INTEGER BIGINT SMALLINT TINYINT BYTEINT FLOAT64 NUMERIC DECIMAL BIGNUMERIC STRING BYTES DATE DATETIME TIME TIMESTAMP";
const CAST_CURE = "cast to BIGINT or DATE; for a double, multiply by 1e0";

function* casts(tokens: readonly string[]): Generator<Fault> {
  for (const [at, token] of tokens.entries()) {
    if (!/^(try_)?cast$/i.test(token) || tokens[at + 1] !== "(") continue;
    const word = castType(tokens.slice(at + 2)).toUpperCase();
    if (word === "BIGINT" || word === "DATE" || word === "") continue;
    const unknown = [
      ...(ATHENA_TYPES.split(" ").includes(word) ? [] : [SqlEngine.athena]),
      ...(BIGQUERY_TYPES.split(" ").includes(word) ? [] : [SqlEngine.bigquery]),
    ];
    yield unknown.length > 0
      ? { engines: unknown, what: `casts to ${word}, which ${unknown.join(" and ")} can't`, cure: CAST_CURE }
      : { isHint: true, what: `casts to ${word}, which is not the same on every engine`, cure: CAST_CURE };
  }
}

/** The word after the AS of a cast, given what follows its bracket. */
function castType(tokens: readonly string[]): string {
  let depth = 0;
  for (const [at, token] of tokens.entries()) {
    if (token === "(") depth += 1;
    if (token === ")" && --depth < 0) return "";
    if (depth === 0 && /^as$/i.test(token)) return tokens[at + 1] ?? "";
  }
  return "";
}

const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\d[\w.]*(?:(?<=[eE])[+-]\d+)?|[A-Za-z_]\w*|::|==|\S/g;

const tokensOf = (sql: string): readonly string[] =>
  [...sql.matchAll(TOKEN)].map(([token]) => token).filter((token) => !/^(--|\/\*)/.test(token));
