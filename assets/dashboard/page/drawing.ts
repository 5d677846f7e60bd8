import type { Row } from "./rows.ts";
import { AXES, type Axis } from "./vega-spec.ts";

/** From where to where an axis goes, for each axis of numbers. */
export type Extents = { readonly [A in Axis]?: readonly [number, number] | undefined };

/** What draws a panel's rows. */
export interface Drawing {
  readonly element: HTMLElement;
  /** What the axes show, and would show if nothing were shared. */
  readonly extents: Extents;
  /** Draws these rows in place of what was drawn before. */
  draw(rows: readonly Row[], label: string): Promise<void>;
  /** Makes the axes go as far as these; what is left out is left to the rows. */
  share(extents: Extents): Promise<void>;
  /** Takes on the colours of the moment. */
  restyle(): Promise<void>;
  dispose(): void;
}

/** Extents that hold all of these: two pictures side by side can be compared only on the same axes. */
export function unionOfExtents(all: readonly Extents[]): Extents {
  return Object.fromEntries(
    AXES.map((axis) => {
      const extents = all.map((each) => each[axis]).filter((extent) => extent !== undefined);
      const [from, to] = [extents.map(([low]) => low), extents.map(([, high]) => high)];
      return [axis, extents.length > 1 ? [Math.min(...from), Math.max(...to)] : undefined];
    }),
  );
}
