import { ColumnType } from "../../components/job/table.ts";
import type { ResultColumn, Value } from "./engine.ts";

/** How Athena describes a column of a result. */
export interface AthenaColumn {
  readonly name: string;
  /** In lower case, without parameters: "bigint", "varchar", "timestamp with time zone". */
  readonly type: string;
}

/** How the values of an Athena type come to the browser. */
interface Conversion {
  readonly type: ColumnType;
  readonly value: (text: string) => Value;
}

const integer: Conversion = { type: ColumnType.integer, value: Number };
const double: Conversion = {
  type: ColumnType.double,
  // JSON has neither NaN nor infinity.
  value: (text) => (Number.isFinite(Number(text)) ? Number(text) : null),
};
const string: Conversion = { type: ColumnType.string, value: (text) => text };
const timestamp: Conversion = { type: ColumnType.timestamp, value: instant };

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  tinyint: integer,
  smallint: integer,
  integer,
  int: integer,
  bigint: integer,
  float: double,
  real: double,
  double,
  decimal: double,
  boolean: { type: ColumnType.boolean, value: (text) => text === "true" },
  char: string,
  varchar: string,
  string,
  // A column of nothing but NULL.
  unknown: string,
  date: { type: ColumnType.date, value: (text) => text },
  timestamp,
  "timestamp with time zone": timestamp,
};

/** @throws Error when a type is none that a table may have, or a value can't be told. */
export function typed(
  columns: readonly AthenaColumn[],
  texts: readonly (readonly (string | null)[])[],
): ResultColumn[] {
  return columns.map(({ name, type }, i) => {
    const conversion = CONVERSIONS[type];
    if (!conversion) {
      throw new Error(`column ${name} has type ${type}; cast it to one of ${Object.keys(ColumnType).join(", ")}`);
    }
    const values = (texts[i] ?? []).map((text) => (text === null ? null : conversion.value(text)));
    return { name, type: conversion.type, values };
  });
}

/** `2012-01-01 00:00:00.000`, with a zone's name or offset behind it where the type has one. */
function instant(text: string): string {
  const [, day, time, fraction = "", zone = "UTC"] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?(?: (\S+))?$/.exec(text) ?? [];
  const date = new Date(`${day}T${time}${fraction.slice(0, 4)}${zone === "UTC" ? "Z" : zone}`);
  if (Number.isNaN(date.getTime())) throw new Error(`${text} is no time in UTC; use at_timezone(..., 'UTC')`);
  return date.toISOString();
}
