/** The endpoint that Athena's clients are measured on: a process of its own, told by messages what to answer. */
import { FakeAthena, type Plan } from "../assets/dashboard/fake-athena.ts";
import { planOf, type XoPlan } from "../assets/dashboard/fake-athena-xo.ts";

export type Order =
  | { readonly put: Readonly<Record<string, string>> }
  /** What every query gets; one that creates a table leaves the files of `manifest`. */
  | { readonly plan: Plan }
  | { readonly xo: readonly XoPlan[]; readonly milliseconds: number };

const fake = await FakeAthena.start();
process.on("message", (order: Order) => {
  fake.calls.length = 0;
  if ("put" in order)
    for (const [path, base64] of Object.entries(order.put)) fake.put(path, Buffer.from(base64, "base64"));
  if ("plan" in order) fake.plan = () => order.plan;
  if ("xo" in order) fake.plan = (sql) => ({ ...planOf(order.xo, sql), milliseconds: order.milliseconds });
  process.send?.("done");
});
process.on("disconnect", () => process.exit());
process.send?.(fake.env);
