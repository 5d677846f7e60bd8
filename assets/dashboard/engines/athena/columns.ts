import { ColumnType } from "../../../../core/table.ts";
import { boolean, type Conversion, date, double, integer, string } from "../../columns.ts";

const timestamp: Conversion = { type: ColumnType.timestamp, value: instant };

/** By what Athena calls the type: in lower case, without parameters. */
export const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  tinyint: integer,
  smallint: integer,
  integer,
  int: integer,
  bigint: integer,
  float: double,
  real: double,
  double,
  decimal: double,
  boolean,
  char: string,
  varchar: string,
  string,
  // A column of nothing but NULL.
  unknown: string,
  date,
  timestamp,
  "timestamp with time zone": timestamp,
};

/** `2012-01-01 00:00:00.000`, with a zone's name or offset behind it where the type has one. */
function instant(text: string): string {
  const [, day, time, fraction = "", zone = "UTC"] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?(?: (\S+))?$/.exec(text) ?? [];
  const date = new Date(`${day}T${time}${fraction.slice(0, 4)}${zone === "UTC" ? "Z" : zone}`);
  if (Number.isNaN(date.getTime())) throw new Error(`${text} is no time in UTC; use at_timezone(..., 'UTC')`);
  return date.toISOString();
}
