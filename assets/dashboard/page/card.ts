import type { RunRecord } from "../../../core/run.ts";
import type { FeedRow, PanelAnswer } from "../api.ts";
import type { TableVersions } from "../engine.ts";
import { ChoiceControl } from "./choice.ts";
import { h } from "./dom.ts";
import { unionOfExtents } from "./drawing.ts";
import { Figure, type FigureHost } from "./figure.ts";
import type { Latency } from "./latency.ts";
import { textParts } from "./text.ts";
import type { Clock } from "./time.ts";

/** From one picture to the next: a browser has more to do. */
const PAUSE_MILLISECONDS = 100;

/** A panel: its title, its sentence, its choice and a figure for each run on display. */
export class PanelCard implements FigureHost {
  readonly panel: PanelAnswer;
  readonly clock: Clock;
  readonly latency: Latency;
  readonly element: HTMLElement;
  readonly #figures = h("div", { class: "figures" });
  readonly #choice: ChoiceControl | undefined;
  #shown: readonly Figure[] = [];
  #isDrawing = false;
  /** Something came while it was drawn. */
  #again = false;

  constructor(panel: PanelAnswer, clock: Clock, latency: Latency) {
    this.panel = panel;
    this.clock = clock;
    this.latency = latency;
    this.#choice = panel.choice && new ChoiceControl(panel.choice, () => void this.#draw());
    const id = `panel-${panel.name}`;
    const words = h("div", {}, h("h2", { id }, panel.title), h("p", { class: "shows" }, panel.shows));
    const head = h("div", { class: "card-head" }, words, ...(this.#choice ? [this.#choice.element] : []));
    const wide = textParts(panel.chart) ? " wide" : "";
    this.element = h("section", { class: `card${wide}`, "aria-labelledby": id }, head, this.#figures);
  }

  /** Shows these runs side by side; a figure that is there already stays as it is. */
  show(runs: readonly string[]): void {
    const kept = this.#shown.filter((figure) => runs.includes(figure.run));
    for (const figure of this.#shown) if (!kept.includes(figure)) figure.dispose();
    this.#shown = runs.map((run) => kept.find((figure) => figure.run === run) ?? new Figure(run, this));
    this.#figures.replaceChildren(...this.#shown.map((figure) => figure.element));
    this.element.classList.toggle("compares", runs.length > 1);
    if (kept.length > 0) void this.#draw();
  }

  about(records: readonly RunRecord[]): void {
    const record = (run: string) => records.find((candidate) => candidate.run === run);
    for (const figure of this.#shown) figure.about(record(figure.run), this.#shown.length > 1);
  }

  tables(run: string, versions: TableVersions): void {
    for (const figure of this.#shown) if (figure.run === run) figure.tables(versions);
  }

  feed(run: string, feeds: Readonly<Record<string, readonly FeedRow[]>>): void {
    for (const figure of this.#shown) if (figure.run === run) figure.feed(feeds);
  }

  filled(): void {
    void this.#draw();
  }

  retry(): void {
    for (const figure of this.#shown) figure.retry();
  }

  tick(): void {
    for (const figure of this.#shown) figure.tick();
  }

  restyle(): void {
    for (const figure of this.#shown) void figure.restyle();
  }

  /** What comes while it is drawn is drawn together afterwards. */
  async #draw(): Promise<void> {
    this.#again = this.#isDrawing;
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    await this.#drawOnce().finally(() => {
      this.#isDrawing = false;
    });
    if (this.#again) setTimeout(() => void this.#draw(), PAUSE_MILLISECONDS);
  }

  async #drawOnce(): Promise<void> {
    const figures = this.#shown;
    this.#choice?.offer(figures.map((figure) => figure.columns));
    const spoken = this.#choice?.spoken ?? "";
    const all = () => true;
    await Promise.all(figures.map((figure) => figure.draw(this.#choice?.drawn(figure.columns) ?? all, spoken)));
    const extents = unionOfExtents(figures.map((figure) => figure.extents));
    await Promise.all(figures.map((figure) => figure.share(extents)));
  }
}
