/** The endpoint that BigQuery's clients are measured on: a process of its own, told by messages what to answer. */
import { FakeBigQuery, type Plan } from "../assets/dashboard/fake-bigquery.ts";
import { planOf, type XoPlan } from "../assets/dashboard/fake-bigquery-xo.ts";

export type Order =
  /** What every query gets. */
  { readonly plan: Plan } | { readonly xo: readonly XoPlan[]; readonly milliseconds: number };

const fake = await FakeBigQuery.start();
process.on("message", (order: Order) => {
  fake.forget();
  if ("plan" in order) fake.plan = () => order.plan;
  if ("xo" in order) fake.plan = (sql) => ({ ...planOf(order.xo, sql), milliseconds: order.milliseconds });
  process.send?.("done");
});
process.on("disconnect", () => process.exit());
process.send?.(fake.env);
