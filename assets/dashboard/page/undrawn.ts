import type { VegaLiteSpec } from "../../../core/panel.ts";
import type { Value } from "../engine.ts";
import type { Row } from "./rows.ts";
import { counted } from "./time.ts";

/** A column that a layer of a chart measures something by: what is no number has no place there. */
interface Measure {
  readonly field: string;
  readonly isLog: boolean;
}

interface ChannelDef {
  readonly field?: unknown;
  readonly type?: string;
  readonly aggregate?: unknown;
  readonly bin?: unknown;
  readonly timeUnit?: unknown;
  readonly scale?: { readonly type?: string } | null;
}

type Encoding = Readonly<Record<string, ChannelDef | readonly ChannelDef[]>>;

/** The parts of a specification that hold others. */
const PARTS = ["layer", "concat", "hconcat", "vconcat"] as const;

/** The measures of each layer that draws rows. */
function layersOf(spec: VegaLiteSpec, inherited: Encoding = {}, isRoot = true): readonly (readonly Measure[])[] {
  if (!isRoot && "data" in spec) return []; // it has rows of its own
  const encoding = { ...inherited, ...(spec.encoding as Encoding | undefined) };
  const below = PARTS.map((part) => spec[part]).find((part) => part !== undefined) ?? (spec.spec && [spec.spec]);
  if (below) return (below as readonly VegaLiteSpec[]).flatMap((part) => layersOf(part, encoding, false));
  if ((spec.mark as { readonly invalid?: unknown } | undefined)?.invalid === null) return [[]];
  const channels = Object.values(encoding).flatMap((channel) => channel as ChannelDef);
  const fields = channels.filter((channel) => typeof channel?.field === "string");
  return fields.length === 0 ? [] : [fields.filter(isMeasure).map(measureOf)];
}

const isMeasure = ({ type, aggregate, bin, timeUnit }: ChannelDef): boolean =>
  type === undefined ? Boolean(aggregate || bin || timeUnit) : type === "quantitative" || type === "temporal";

const measureOf = ({ field, scale }: ChannelDef): Measure => ({ field: field as string, isLog: scale?.type === "log" });

/** Why a value has no place on a scale, as what follows the column's name; undefined where it has one. */
function obstacle(value: Value, isLog: boolean): string | undefined {
  if (value === null) return "has no value";
  if (typeof value !== "number") return undefined;
  if (Number.isNaN(value)) return "is NaN";
  if (!Number.isFinite(value)) return "is infinite";
  return isLog && value <= 0 ? "is not above zero" : undefined;
}

/** The rows as Vega takes them: a value without a place is null, which it leaves out, and keeps its scales from breaking. */
export function drawable(spec: VegaLiteSpec, rows: readonly Row[]): Record<string, Value>[] {
  const logs = new Set(
    layersOf(spec)
      .flat()
      .flatMap(({ field, isLog }) => (isLog ? [field] : [])),
  );
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, obstacle(value, logs.has(name)) ? null : value]),
    ),
  );
}

/** Says how many rows a chart leaves out, and why; "" where it draws all. */
export function undrawn(spec: VegaLiteSpec, rows: readonly Row[]): string {
  const names = new Set(Object.keys(rows[0] ?? {}));
  const layers = layersOf(spec).map((layer) => layer.filter(({ field }) => names.has(field)));
  const counts = new Map<string, Map<string, number>>();
  let left = 0;
  for (const row of rows) {
    const obstacles = layers.map((layer) =>
      layer.find((measure) => obstacle(row[measure.field] as Value, measure.isLog)),
    );
    const [first] = obstacles;
    if (!first || obstacles.includes(undefined)) continue;
    left++;
    const reason = obstacle(row[first.field] as Value, first.isLog) as string;
    const ofField = counts.get(first.field) ?? new Map<string, number>();
    counts.set(first.field, ofField.set(reason, (ofField.get(reason) ?? 0) + 1));
  }
  if (left === 0) return "";
  const reasons = [...counts].map(([field, found]) => `${field} ${inWords(found)}`);
  return `${counted.format(left)} of ${counted.format(rows.length)} rows ${left === 1 ? "is" : "are"} not drawn: ${reasons.join("; ")}.`;
}

const inWords = (found: ReadonlyMap<string, number>): string =>
  listed.format([...found].map(([reason, count]) => `${reason} in ${counted.format(count)}`));

const listed = new Intl.ListFormat("en-GB", { type: "conjunction" });
