import type { VegaLiteSpec } from "../../../core/panel.ts";
import { h } from "./dom.ts";
import type { Drawing } from "./drawing.ts";
import { vega } from "./lazy.ts";
import type { Row } from "./rows.ts";
import { spelled } from "./table.ts";

/** What stands in one text mark. */
interface TextPart {
  readonly field: string;
  /** In the notation of d3-format. */
  readonly format?: string;
  /** A part with a title is a figure with its caption; one without is a sentence. */
  readonly title?: string;
}

type Format = (specifier: string) => (value: number) => string;

interface TextLayer {
  readonly mark?: string | { readonly type?: string };
  readonly encoding?: { readonly text?: TextPart } & Readonly<Record<string, unknown>>;
}

/** The parts of a chart that is nothing but text without a place, undefined for every other chart. */
export function textParts(spec: VegaLiteSpec): readonly TextPart[] | undefined {
  const layers = (spec.layer ?? [spec]) as readonly TextLayer[];
  const parts = layers.map(({ mark, encoding = {} }) => {
    const type = typeof mark === "string" ? mark : mark?.type;
    return type === "text" && !("x" in encoding) && !("y" in encoding) ? encoding.text : undefined;
  });
  return parts.every((part) => part !== undefined) ? parts : undefined;
}

/** Draws each row as figures with captions, and sentences after them. */
export class TextDrawing implements Drawing {
  readonly element = h("div", { class: "text" });
  readonly #parts: readonly TextPart[];

  constructor(parts: readonly TextPart[]) {
    this.#parts = parts;
  }

  async draw(rows: readonly Row[]): Promise<void> {
    const { format } = (await vega).defaultLocale();
    this.element.replaceChildren(...rows.map((row) => this.#row(row, format)));
  }

  // Nothing of a text depends on an axis, and its colours are the style sheet's.
  readonly extents = {};
  async share(): Promise<void> {}
  async restyle(): Promise<void> {}

  dispose(): void {
    this.element.remove();
  }

  #row(row: Row, format: Format): HTMLElement {
    const shown = ({ field, format: specifier }: TextPart) => {
      const value = row[field] ?? "–";
      if (typeof value !== "number") return String(value);
      return spelled(value, specifier ? format(specifier) : String);
    };
    const figures = this.#parts.flatMap((part) =>
      part.title === undefined ? [] : [h("div", {}, h("dt", {}, part.title), h("dd", {}, shown(part)))],
    );
    const sentences = this.#parts.filter((part) => part.title === undefined).map((part) => h("p", {}, shown(part)));
    return h("div", { class: "text-row" }, ...(figures.length > 0 ? [h("dl", {}, ...figures)] : []), ...sentences);
  }
}
