import type { VegaLiteSpec } from "../../../core/panel.ts";
import type { RunRecord } from "../../../core/run.ts";
import type { FeedRow, PanelAnswer, RowsAnswer } from "../api.ts";
import type { ResultColumn, TableVersions } from "../engine.ts";
import { AnswerError, fetchRows } from "./api.ts";
import { Chart } from "./chart.ts";
import { h, setText } from "./dom.ts";
import type { Drawing, Extents } from "./drawing.ts";
import type { Latency } from "./latency.ts";
import { LiveRows } from "./live-rows.ts";
import { type Drawn, rowsOf } from "./rows.ts";
import { noRows } from "./runs.ts";
import { scanned } from "./size.ts";
import { DataTable } from "./table.ts";
import { TextDrawing, textParts } from "./text.ts";
import { ago, type Clock, counted, exactly } from "./time.ts";
import { undrawn } from "./undrawn.ts";

/** What a figure asks of its panel. */
export interface FigureHost {
  readonly panel: PanelAnswer;
  readonly clock: Clock;
  readonly latency: Latency;
  /** There are other rows: the panel sees to what is drawn. */
  filled(): void;
}

/** While its feed brings rows, a figure need not be filled from the lake whenever something comes there. */
const FED_MILLISECONDS = 15_000;

/** One panel's picture of one run, and all the states it can be in. */
export class Figure {
  readonly run: string;
  readonly element: HTMLElement;
  readonly #host: FigureHost;
  readonly #caption = h("figcaption", {});
  readonly #message = h("div", { class: "message" });
  readonly #undrawn = h("p", { class: "undrawn" });
  readonly #foot = h("p", { class: "foot" });
  readonly #drawing: Drawing;
  readonly #table: DataTable;
  readonly #live: LiveRows | undefined;
  /** When the feed last brought rows, by the page's own clock. */
  #fed = Number.NEGATIVE_INFINITY;
  #record: RunRecord | undefined;
  #found: RowsAnswer | undefined;
  /** What was found, with what the feed has brought. */
  #answer: RowsAnswer | undefined;
  /** Versions of tables that the server told of. */
  #latest: TableVersions = {};
  readonly #gone = new AbortController();
  #fetching = false;
  /** The server told of something while rows were being fetched. */
  #told = false;
  /** The last attempt to fetch did not get through. */
  #stale = false;

  constructor(run: string, host: FigureHost) {
    this.run = run;
    this.#host = host;
    this.#drawing = drawing(host.panel.chart);
    this.#live = host.panel.live && new LiveRows(host.panel.live);
    this.#table = new DataTable(`Data of ${host.panel.title}`);
    this.element = h(
      "figure",
      {},
      this.#caption,
      this.#drawing.element,
      this.#message,
      this.#undrawn,
      this.#foot,
      this.#table.element,
    );
    this.#show("message");
    setText(this.#message, "Loading…");
    void this.refresh();
  }

  get columns(): readonly ResultColumn[] {
    return this.#answer?.columns ?? [];
  }

  /** Fetches when the server's tables are newer than what is shown. */
  tables(versions: TableVersions): void {
    this.#latest = { ...this.#latest, ...versions };
    this.#told = true;
    if (this.#outdated() && !this.#isFed()) void this.refresh();
  }

  /** Shows what its feed has brought. */
  feed(feeds: Readonly<Record<string, readonly FeedRow[]>>): void {
    const rows = feeds[this.#host.panel.live?.feed ?? ""];
    if (!rows || !this.#live?.add(rows)) return;
    this.#fed = performance.now();
    this.#merge();
  }

  /** After a lost connection: fetches what did not get through. */
  retry(): void {
    if (this.#stale) void this.refresh();
  }

  /** What is known of the run; it decides what an empty figure says. */
  about(record: RunRecord | undefined, captioned: boolean): void {
    this.#record = record;
    this.#caption.hidden = !captioned;
    setText(this.#caption, `Run ${this.run}`);
    if (this.#answer?.rows === 0 && !this.#stale) this.#sayEmpty();
  }

  async refresh(): Promise<void> {
    if (this.#fetching) return;
    this.#fetching = true;
    this.#told = false;
    try {
      this.#found = await fetchRows(this.#host.panel.name, this.run, this.#gone.signal);
      this.#stale = false;
      this.#merge();
    } catch (error) {
      this.#failed(error as Error);
    } finally {
      this.#fetching = false;
    }
    // Rows may also be newer than what was last told of; that is no reason to fetch them again.
    if (!this.#stale && this.#told && this.#outdated() && !this.#isFed()) void this.refresh();
  }

  /** Draws some of its rows. `spoken` says which they are. */
  async draw(isDrawn: Drawn, spoken: string): Promise<void> {
    if (!this.#answer) return;
    const rows = rowsOf(this.#answer, isDrawn);
    this.#table.update(this.#answer.columns, rows);
    this.tick();
    if (rows.length === 0) return this.#sayEmpty();
    this.#show("drawing");
    const { title, shows } = this.#host.panel;
    const left = this.#drawing instanceof Chart ? undrawn(this.#host.panel.chart, rows) : "";
    setText(this.#undrawn, left);
    this.#undrawn.hidden = left === "";
    const label = `${title}. ${shows} ${spoken} ${counted.format(rows.length)} rows. ${left}`
      .replaceAll("  ", " ")
      .trim();
    const happened = this.#live?.takeUnseen();
    try {
      await this.#drawing.draw(rows, label);
      if (happened !== undefined) requestAnimationFrame(() => this.#seen(happened));
    } catch (error) {
      // The fault of the chart's specification, or of rows that it can't take; they can still be read.
      this.#sayFailed(`The chart can't be drawn: ${(error as Error).message}`, true);
    }
  }

  get extents(): Extents {
    return this.#drawing.element.hidden ? {} : this.#drawing.extents;
  }

  share(extents: Extents): Promise<void> {
    return this.#drawing.share(extents);
  }

  restyle(): Promise<void> {
    return this.#drawing.restyle();
  }

  #seen(happened: number): void {
    this.#host.latency.note(this.#host.clock.now() - happened);
  }

  #isFed(): boolean {
    return performance.now() - this.#fed < FED_MILLISECONDS;
  }

  #merge(): void {
    if (!this.#found) return;
    this.#answer = this.#live ? this.#live.with(this.#found) : this.#found;
    this.#host.filled();
  }

  /** Says anew how many rows there are, how old they are, and what was read for them where that is billed. */
  tick(): void {
    if (!this.#answer) return;
    if (this.#live && this.#outdated() && !this.#isFed()) void this.refresh();
    const { rows, tables, statistics } = this.#answer;
    const times = Object.values(tables).flatMap(({ updated }) => (updated ? [Date.parse(updated)] : []));
    const newest = Math.max(...times);
    const written = times.length > 0 ? ` · updated ${ago(this.#host.clock.now() - newest)}` : "";
    const read = statistics.bytesScanned === undefined ? "" : ` · ${scanned(statistics)}`;
    setText(this.#foot, rows === 0 ? "" : `${counted.format(rows)} ${rows === 1 ? "row" : "rows"}${written}${read}`);
    this.#foot.title = times.length > 0 ? exactly(newest) : "";
  }

  dispose(): void {
    this.#gone.abort();
    this.#drawing.dispose();
    this.element.remove();
  }

  #outdated(): boolean {
    const has = this.#answer?.tables ?? {};
    return this.#host.panel.tables.some((name) => {
      const latest = this.#latest[name]?.version;
      return latest !== undefined && latest !== has[name]?.version;
    });
  }

  #failed(error: Error): void {
    this.#stale = true;
    // Not reached at all: the banner says so, and what is on display stays.
    if (error instanceof AnswerError) this.#sayFailed(error.message, false);
  }

  #sayFailed(sentence: string, readable: boolean): void {
    const again = h("button", { type: "button" }, "Try again");
    again.addEventListener("click", () => void this.refresh());
    this.#message.replaceChildren(h("p", { class: "error", role: "alert" }, sentence), again);
    this.#show("message", readable);
  }

  #sayEmpty(): void {
    const rowsElsewhere = (this.#answer?.rows ?? 0) > 0;
    const text = rowsElsewhere ? "This run has no rows for this choice." : noRows(this.#record, this.#host.clock.now());
    setText(this.#message, text);
    this.#show("message");
  }

  #show(what: "drawing" | "message", readable = what === "drawing"): void {
    this.#drawing.element.hidden = what !== "drawing";
    this.#message.hidden = what !== "message";
    this.#undrawn.hidden ||= what !== "drawing";
    this.#foot.hidden = !readable;
    this.#table.element.hidden = !readable;
  }
}

/** A chart; or HTML where the chart is nothing but text, which then wraps, can be marked and is read aloud. */
function drawing(spec: VegaLiteSpec): Drawing {
  const parts = textParts(spec);
  return parts ? new TextDrawing(parts) : new Chart(spec);
}
