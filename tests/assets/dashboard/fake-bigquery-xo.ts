import { BIGQUERY_TYPE } from "../../../core/bigquery-table.ts";
import type { Plan } from "./fake-bigquery.ts";
import { resultOf, type XoResult, xoResults } from "./xo-results.ts";

/** What BigQuery would answer to a panel of xo. */
export interface XoPlan extends Plan, Pick<XoResult, "begins"> {}

export async function xoPlans(): Promise<readonly XoPlan[]> {
  return (await xoResults()).map(({ types, ...rest }) => ({
    ...rest,
    columns: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, BIGQUERY_TYPE[type]])),
  }));
}

/** The plan for a query of the BigQuery engine. */
export const planOf = (plans: readonly XoPlan[], sql: string): Plan => resultOf(plans, sql);
