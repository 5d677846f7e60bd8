import { quote, UsageError } from "./errors.ts";
import { listed, reservedBy } from "./sql-engine.ts";

/** A column of `londonPower` since version 0.1.0: BigQuery alone reserves it, and takes it behind a table's name. */
const KEPT: readonly string[] = ["nulls"];

/**
 * Panels run unchanged on all engines, and those quote differently: a name that must be quoted on one can stand in no panel.
 *
 * @throws UsageError for such a name.
 */
export function checkUnreserved(where: string, what: string, name: string): void {
  const engines = KEPT.includes(name) ? [] : reservedBy(name);
  if (engines.length === 0) return;
  throw new UsageError(
    `${where}: ${what} is ${quote(name)}, a word of SQL that ${listed(engines)} ${engines.length > 1 ? "reserve" : "reserves"}: call it otherwise, such as ${quote(`${name}_1`)}`,
  );
}
