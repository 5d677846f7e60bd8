import type { View } from "vega";
import type { VegaLiteSpec } from "../../../core/panel.ts";
import { h } from "./dom.ts";
import type { Drawing, Extents } from "./drawing.ts";
import { vega } from "./lazy.ts";
import type { Row } from "./rows.ts";
import { showTooltip } from "./tooltip.ts";
import { drawable } from "./undrawn.ts";
import { type Axis, axesOf, hasEqualAspect, naturalScale, ROWS, sharedExtent, vegaSpec } from "./vega-spec.ts";

/** Charts are drawn one after the other, so that the first is seen early and the page answers in between. */
let turn: Promise<void> = Promise.resolve();

function inTurn(work: () => Promise<void>): Promise<void> {
  const done = turn.then(work);
  turn = done.catch(() => undefined).then(() => new Promise((next) => setTimeout(next)));
  return done;
}

/** Draws rows as Vega-Lite on a canvas as wide as its place. */
export class Chart implements Drawing {
  readonly element = h("div", { class: "chart" });
  readonly #spec: VegaLiteSpec;
  readonly #size = new ResizeObserver(() => this.#resize());
  #view: View | undefined;
  #axes: readonly Axis[] = [];
  #rows: readonly Row[] = [];
  #label = "";
  #width = 0;
  #shared: Extents = {};

  constructor(spec: VegaLiteSpec) {
    this.#spec = spec;
    this.#size.observe(this.element);
  }

  draw(rows: readonly Row[], label: string): Promise<void> {
    this.#rows = rows;
    this.#label = label;
    return inTurn(() => (this.#view ? this.#fill(this.#view) : this.#create()));
  }

  restyle(): Promise<void> {
    return inTurn(async () => {
      if (this.#view) await this.#create();
    });
  }

  get extents(): Extents {
    const view = this.#view;
    return view ? Object.fromEntries(this.#axes.map((axis) => [axis, extent(view, naturalScale(axis))])) : {};
  }

  share(extents: Extents): Promise<void> {
    if (JSON.stringify(extents) === JSON.stringify(this.#shared)) return Promise.resolve();
    this.#shared = extents;
    return inTurn(async () => {
      if (this.#view) await this.#fit(this.#view);
    });
  }

  dispose(): void {
    this.#size.disconnect();
    this.#view?.finalize();
    this.element.remove();
  }

  async #create(): Promise<void> {
    this.#width = this.element.clientWidth;
    // Not on display; the first resize draws it.
    if (this.#width === 0) return;
    const { parse, View, expressionInterpreter: expr } = await vega;
    const spec = vegaSpec(await vega, this.#spec, this.#width);
    const view = new View(parse(spec, undefined, { ast: true }), {
      expr,
      renderer: "canvas",
      hover: true,
      tooltip: showTooltip,
    });
    this.#axes = axesOf(spec);
    // Its place comes last, so that the first picture that is seen has rows and the right height.
    await this.#fill(view);
    this.#view?.finalize();
    this.#view = view;
    await view.initialize(this.element).runAsync();
    this.#describe();
  }

  async #fill(view: View): Promise<void> {
    const { changeset } = await vega;
    const everything = () => true;
    // Vega marks the objects it is given as its own, so each view has copies.
    view.change(ROWS, changeset().remove(everything).insert(drawable(this.#spec, this.#rows)));
    await this.#fit(view);
    this.#describe();
  }

  /** Gives the axes the extents they share with other charts or need to have any, and the height that goes with them. */
  async #fit(view: View): Promise<void> {
    for (const axis of this.#axes) view.signal(sharedExtent(axis), this.#shared[axis] ?? null);
    // Other rows may have longer labels, and need other margins.
    await view.resize().runAsync();
    for (const axis of this.#axes) {
      const around = this.#shared[axis] ? undefined : widened(view, axis);
      if (around) await view.signal(sharedExtent(axis), around).resize().runAsync();
    }
    if (!hasEqualAspect(this.#spec)) return;
    // Few steps: labels that come and go change the width a little, and could do so for ever.
    for (let step = 0; step < 3; step++) {
      const height = Math.round(view.width() * (slopeOf(view) ?? 0.5));
      if (view.height() === height) return;
      await view.height(height).runAsync();
    }
  }

  #resize(): void {
    void inTurn(async () => {
      const width = this.element.clientWidth;
      if (width === 0 || width === this.#width) return;
      this.#width = width;
      if (!this.#view) return this.#label ? this.#create() : undefined;
      await this.#fit(this.#view.width(width));
    });
  }

  /** A canvas says nothing by itself: to a screen reader it is one picture with a sentence. */
  #describe(): void {
    for (const name of ["role", "aria-roledescription", "aria-label"]) this.element.removeAttribute(name);
    const canvas = this.element.querySelector("canvas");
    canvas?.setAttribute("role", "img");
    canvas?.setAttribute("aria-label", this.#label);
  }
}

/** Undefined for a scale that isn't one of numbers, or has no width. */
function extent(view: View, scale: string): readonly [number, number] | undefined {
  const [from, to] = view.scale(scale).domain().map(Number) as number[];
  return from !== undefined && to !== undefined && from < to ? [from, to] : undefined;
}

/** Some room around a single number, whether it is measured by difference or by ratio; undefined where there is room. */
function widened(view: View, axis: Axis): readonly [number, number] | undefined {
  const domain = view.scale(naturalScale(axis)).domain() as unknown[];
  const [from, to] = domain;
  if (domain.length !== 2 || typeof from !== "number" || from !== to) return undefined;
  return from === 0 ? [-1, 1] : [Math.min(from * 0.8, from * 1.25), Math.max(from * 0.8, from * 1.25)];
}

/** Extent of y as a part of that of x, undefined while one of them has none. */
function slopeOf(view: View): number | undefined {
  const [x, y] = [extent(view, "x"), extent(view, "y")];
  return x && y ? (y[1] - y[0]) / (x[1] - x[0]) : undefined;
}
