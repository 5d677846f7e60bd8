import type { Plan } from "./fake-athena.ts";
import { resultOf, type XoResult, xoResults } from "./xo-results.ts";

const ATHENA_TYPE = {
  string: "varchar",
  integer: "bigint",
  double: "double",
  decimal: "decimal",
  boolean: "boolean",
  timestamp: "timestamp",
  date: "date",
} as const;

/** What Athena would answer to a panel of xo. */
export interface XoPlan extends Plan, Pick<XoResult, "begins"> {}

export async function xoPlans(): Promise<readonly XoPlan[]> {
  return (await xoResults()).map(({ types, ...rest }) => ({
    ...rest,
    columns: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, ATHENA_TYPE[type]])),
  }));
}

/** The plan for a query of the Athena engine. */
export const planOf = (plans: readonly XoPlan[], sql: string): Plan => resultOf(plans, sql);
