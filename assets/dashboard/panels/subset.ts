/** The SQL that runs unchanged on DuckDB, Athena (Trino) and BigQuery, as docs/jobs.md states it. */
export const FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  Aggregates: ["AVG", "COUNT", "MAX", "MIN", "STDDEV_SAMP", "SUM", "VAR_SAMP"],
  Numbers: ["ABS", "CEIL", "EXP", "FLOOR", "LN", "POWER", "ROUND", "SQRT"],
  Choices: ["CASE", "CAST", "COALESCE", "NULLIF"],
  Text: ["LENGTH", "LOWER", "UPPER"],
  Time: ["EXTRACT"],
  Windows: ["LAG", "LEAD", "RANK", "ROW_NUMBER"],
};
export const TYPES: readonly string[] = ["BIGINT", "DATE"];

const RULES = [
  "One SELECT, with WITH, JOIN, GROUP BY, HAVING, WINDOW, UNION ALL, ORDER BY and LIMIT as needed.",
  "Names are not quoted: the engines quote differently. So none is a word that one of them reserves, such as `order`.",
  "Each column of the result has a name of its own, in lower case: `count(*) AS words`.",
  "WHERE, GROUP BY and HAVING name columns of the tables, not results of the same SELECT: Athena knows those in ORDER BY alone.",
  "Every ORDER BY says NULLS FIRST or NULLS LAST: the engines differ.",
  "What is divided is multiplied by `1e0` first (`a * 1e0 / b`): Athena alone truncates integers.",
];

/** The subset as docs/jobs.md states it. */
export function markdown(): string {
  const names = (list: readonly string[]) => list.map((name) => `\`${name}\``).join(", ");
  return [
    ...RULES.map((rule) => `- ${rule}`),
    ...Object.entries(FUNCTIONS).map(([kind, list]) => `- ${kind}: ${names(list)}.`),
    `- Types to cast to: ${names(TYPES)} (for a double, multiply by \`1e0\`).`,
  ].join("\n");
}
