import {
  type DuckDBDateValue,
  type DuckDBDecimalValue,
  type DuckDBResult,
  type DuckDBTimestampTZValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBVector,
} from "@duckdb/node-api";
import { ColumnType } from "../../../../core/table.ts";
import { carried } from "../../columns.ts";
import type { ResultColumn, Value } from "../../engine.ts";

/** How the values of a DuckDB type come to the browser. */
interface Conversion {
  readonly type: ColumnType;
  /** Appends the first values of a vector. */
  readonly append: Append;
}

type Append = (values: Value[], vector: DuckDBVector, count: number) => void;

// Each has a loop of its own, because JavaScript compiles a loop over one class of vector to half the time of one over all.
const asIs: Append = (values, vector, count) => {
  for (let i = 0; i < count; i++) values.push(vector.getItem(i) as Value);
};
const doubles: Append = (values, vector, count) => {
  for (let i = 0; i < count; i++) {
    const value = vector.getItem(i);
    values.push(value === null ? null : carried(value as number));
  }
};
const integers: Append = (values, vector, count) => {
  for (let i = 0; i < count; i++) {
    const value = vector.getItem(i);
    values.push(value === null ? null : Number(value));
  }
};
const decimals: Append = (values, vector, count) => {
  for (let i = 0; i < count; i++) {
    const value = vector.getItem(i) as DuckDBDecimalValue | null;
    values.push(value === null ? null : carried(value.toDouble()));
  }
};
const instants: Append = (values, vector, count) => {
  for (let i = 0; i < count; i++) {
    const value = vector.getItem(i) as DuckDBTimestampTZValue | null;
    values.push(value === null ? null : new Date(Number(value.micros) / 1000).toISOString());
  }
};
const dates: Append = (values, vector, count) => {
  for (let i = 0; i < count; i++) {
    const value = vector.getItem(i) as DuckDBDateValue | null;
    values.push(value === null ? null : value.toString());
  }
};

const integer = { type: ColumnType.integer, append: integers };
const double = { type: ColumnType.double, append: doubles };
const timestamp = { type: ColumnType.timestamp, append: instants };

const CONVERSIONS: ReadonlyMap<DuckDBTypeId, Conversion> = new Map<DuckDBTypeId, Conversion>([
  [DuckDBTypeId.BOOLEAN, { type: ColumnType.boolean, append: asIs }],
  [DuckDBTypeId.TINYINT, integer],
  [DuckDBTypeId.SMALLINT, integer],
  [DuckDBTypeId.INTEGER, integer],
  [DuckDBTypeId.BIGINT, integer],
  // Sums of integers.
  [DuckDBTypeId.HUGEINT, integer],
  [DuckDBTypeId.FLOAT, double],
  [DuckDBTypeId.DOUBLE, double],
  [DuckDBTypeId.DECIMAL, { type: ColumnType.double, append: decimals }],
  [DuckDBTypeId.VARCHAR, { type: ColumnType.string, append: asIs }],
  [DuckDBTypeId.DATE, { type: ColumnType.date, append: dates }],
  [DuckDBTypeId.TIMESTAMP, timestamp],
  [DuckDBTypeId.TIMESTAMP_TZ, timestamp],
]);

/** What the browser gets a DuckDB type as; undefined for one that it can't have. */
export const columnType = ({ typeId }: DuckDBType): ColumnType | undefined => CONVERSIONS.get(typeId)?.type;

/** Reads a result to its end, chunk by chunk, so that it stands in memory once. */
export async function columnsOf(result: DuckDBResult): Promise<readonly ResultColumn[]> {
  const names = result.columnNames();
  const conversions = result.columnTypes().map((type, i) => conversionOf(type, names[i] as string));
  const columns: Value[][] = names.map(() => []);
  for await (const chunk of result) {
    for (const [i, { append }] of conversions.entries()) {
      append(columns[i] as Value[], chunk.getColumnVector(i), chunk.rowCount);
    }
  }
  return names.map((name, i) => ({ name, type: (conversions[i] as Conversion).type, values: columns[i] as Value[] }));
}

function conversionOf(type: DuckDBType, name: string): Conversion {
  const conversion = CONVERSIONS.get(type.typeId);
  if (!conversion)
    throw new Error(`column ${name} has type ${type}; cast it to one of ${Object.keys(ColumnType).join(", ")}`);
  return conversion;
}
