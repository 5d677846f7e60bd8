/**
 * CSV -> Parquet of London's readings: step convert beside Spark's own reader, DuckDB and Polars, on equal rows and
 * digests. ONEOFF_BENCH_ROWS sets the rows of the comparison, ONEOFF_BENCH_SIZES those of the memory's two sizes.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Figure } from "./index.ts";
import { benchPython } from "./venv.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** Of the seed this began with, per core; its time includes writing to MongoDB. */
const SEED = "35,000 to 43,000 in the seed";

interface Run {
  readonly cpu: number;
  readonly start_cpu: number;
  readonly conversion_cpu: number;
  readonly peak: number;
  readonly bytes: number;
}

interface Report {
  readonly rows: number;
  readonly csv_bytes: number;
  readonly engines: Readonly<Record<"ours" | "spark" | "spark-inferred" | "duckdb" | "polars", Run>>;
  /** Seconds of the conversion, by cores. */
  readonly working: Readonly<Record<"1" | "2", number>>;
  /** Bytes, by rows. */
  readonly peaks: Readonly<Record<string, number>>;
}

export async function convert(): Promise<readonly Figure[]> {
  const { ONEOFF_BENCH_ROWS: rows = "20000000", ONEOFF_BENCH_SIZES: sizes = "5000000 50000000" } = process.env;
  const { stdout } = await promisify(execFile)(
    benchPython(),
    [
      ...[at("convert.py"), "--pyspark", at("../../.oneoff/venv/bin/python")],
      ...["--rows", rows, "--sizes", ...sizes.split(" ")],
    ],
    { maxBuffer: 1 << 26 },
  );
  const report = JSON.parse(stdout) as Report;
  const { ours, spark, duckdb } = report.engines;
  const perSecond = (run: Run) => report.rows / run.conversion_cpu;
  const wall = report.working;
  const [small, large] = Object.values(report.peaks) as [number, number];
  return [
    { what: "rows, and the CSV", measured: `${thousands(report.rows)} in ${megabytes(report.csv_bytes)}` },
    ...Object.entries(report.engines).map(([name, run]) => ({
      what: NAMES[name] ?? name,
      measured: `${seconds(run.conversion_cpu)}, ${thousands(perSecond(run))} rows per CPU-s; start ${seconds(run.start_cpu)}; ${megabytes(run.bytes)} of Parquet; peak ${megabytes(run.peak)}`,
    })),
    { what: "Spark with the schema / ours", measured: ratio(spark.conversion_cpu, ours.conversion_cpu), aim: ">= 3" },
    { what: "DuckDB / ours", measured: ratio(duckdb.conversion_cpu, ours.conversion_cpu), aim: ">= 0.8" },
    { what: "our Parquet / Spark's", measured: ratio(ours.bytes, spark.bytes), aim: "<= 1.1" },
    { what: "rows per second and core, on two cores", measured: thousands(report.rows / wall[2] / 2), aim: SEED },
    { what: "one core / two cores, seconds", measured: ratio(wall[1], wall[2]), aim: ">= 1.7" },
    {
      what: `peak memory, by rows`,
      measured: Object.entries(report.peaks)
        .map(([size, bytes]) => `${thousands(Number(size))}: ${megabytes(bytes)}`)
        .join("; "),
      aim: "flat",
    },
    ...(large === undefined ? [] : [{ what: "the second / the first", measured: ratio(large, small) }]),
  ];
}

const NAMES: Readonly<Record<string, string>> = {
  ours: "ours",
  spark: "Spark, schema given",
  "spark-inferred": "Spark, schema inferred",
  duckdb: "DuckDB",
  polars: "Polars",
};

const seconds = (value: number) => `${value.toFixed(1)} CPU-s`;
const ratio = (one: number, other: number) => (one / other).toFixed(2);
const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
const thousands = (value: number) => Math.round(value).toLocaleString("en");
