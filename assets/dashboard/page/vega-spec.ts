import type { Scale, Spec } from "vega";
import type { TopLevelSpec } from "vega-lite";
import type { VegaLiteSpec } from "../../../core/panel.ts";
import type { Vega } from "./lazy.ts";
import { chartConfig, isDark } from "./theme.ts";

/** Name of the data set that the rows are put into. */
export const ROWS = "rows";
const HEIGHT = 260;

/** Names of position scales, in Vega-Lite and so in what it compiles to. */
export const AXES = ["x", "y"] as const;
export type Axis = (typeof AXES)[number];

/** Signal that sets an axis's extent from outside; null leaves it to the rows. */
export const sharedExtent = (axis: Axis): string => `${axis}_shared`;
/** Scale that an axis would have if its extent were left to the rows. */
export const naturalScale = (axis: Axis): string => `${axis}_natural`;

/** What Vega draws, in the colours of the moment. */
export function vegaSpec({ compile }: Vega, spec: VegaLiteSpec, width: number): Spec {
  const full = {
    height: hasEqualAspect(spec) ? width / 2 : HEIGHT,
    ...spec,
    width,
    params: (spec.params as readonly Param[] | undefined)?.map(themed) ?? [],
    data: { name: ROWS },
    autosize: { type: "fit-x", contains: "padding" },
  } as unknown as TopLevelSpec;
  return withSharedExtents(compile(full, { config: chartConfig() }).spec);
}

interface Param {
  readonly name: string;
  readonly value?: unknown;
}

/** A parameter `dark` is true on a dark page, so that a chart can choose its colours. */
const themed = (param: Param): Param => (param.name === "dark" ? { ...param, value: isDark() } : param);

/** The axes that a compiled chart has. */
export const axesOf = ({ scales = [] }: Spec): readonly Axis[] =>
  AXES.filter((axis) => scales.some(({ name }) => name === axis));

/** Whether both axes are to have one scale, as a map needs it: `usermeta: { aspect: "equal" }`. */
export const hasEqualAspect = ({ usermeta }: VegaLiteSpec): boolean =>
  (usermeta as { readonly aspect?: string } | undefined)?.aspect === "equal";

/** Lets the extents of the axes be set from outside, and still be read as they would be otherwise. */
function withSharedExtents(spec: Spec): Spec {
  const { scales = [], signals = [] } = spec;
  const axes = axesOf(spec);
  const scale = (axis: Axis) => scales.find(({ name }) => name === axis) as Scale;
  const natural = axes.map((axis) => ({ ...scale(axis), name: naturalScale(axis) }));
  const shared = axes.map((axis) => ({ ...scale(axis), domainRaw: { signal: sharedExtent(axis) } }));
  const others = scales.filter(({ name }) => !axes.some((axis) => axis === name));
  const added = axes.map((axis) => ({ name: sharedExtent(axis), value: null }));
  return { ...spec, scales: [...others, ...natural, ...shared], signals: [...signals, ...added] };
}
