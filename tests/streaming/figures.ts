import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { OFFSETS } from "../../assets/jobs/streaming-regression/kibana/charts.ts";

const KINDS = { model: "avg(squared_error)", mean: "avg(baseline_error)", noise: "avg(noise_error)" };
const PART = `floor(kafka_offset / ${OFFSETS}) * ${OFFSETS}`;

const each = (columns: string, kinds: Readonly<Record<string, string>>, group: string) =>
  Object.entries(kinds)
    .map(([kind, sql]) => `SELECT ${columns}, '${kind}', (${sql})::DOUBLE FROM predictions ${group}`)
    .join(" UNION ALL ");

const FIGURES = {
  errors: each("topic", { ...KINDS, predicted: "count(squared_error)" }, "GROUP BY topic"),
  parts: each(`topic, ${PART}`, KINDS, `GROUP BY topic, ${PART}`),
  points: each("topic, x1", { recorded: "y", predicted: "pred" }, ""),
  aside: "SELECT topic, reason, count(*)::DOUBLE FROM rejected GROUP BY topic, reason",
};

/** What panels show of a lake's run in a folder, computed apart from them: by SQL over the part files. */
export async function figuresOf(
  folder: string,
): Promise<Record<keyof typeof FIGURES, readonly (readonly unknown[])[]>> {
  const connection = await (await DuckDBInstance.create()).connect();
  for (const name of ["predictions", "rejected"]) {
    const files = join(folder, "lake", name, "run=r1", "*.parquet");
    await connection.run(`CREATE VIEW ${name} AS SELECT * FROM read_parquet('${files}')`);
  }
  const found: [string, readonly (readonly unknown[])[]][] = [];
  for (const [name, sql] of Object.entries(FIGURES))
    found.push([name, (await connection.runAndReadAll(sql)).getRows()]);
  connection.closeSync();
  return Object.fromEntries(found) as Awaited<ReturnType<typeof figuresOf>>;
}
