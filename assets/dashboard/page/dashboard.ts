import type { End } from "../../../core/ends.ts";
import type { RunRecord } from "../../../core/run.ts";
import type { JobAnswer, RunsAnswer } from "../api.ts";
import { fetchRuns } from "./api.ts";
import { PanelCard } from "./card.ts";
import { h } from "./dom.ts";
import { Header } from "./header.ts";
import { Latency } from "./latency.ts";
import { Live } from "./live.ts";
import { onThemeChange } from "./theme.ts";
import { Clock, moment } from "./time.ts";

/** Where the page is put up. */
export interface Places {
  readonly header: HTMLElement;
  readonly ends: HTMLElement;
  readonly banner: HTMLElement;
  readonly main: HTMLElement;
}

const WARNS_MILLISECONDS = 3_600_000;

/** Everything on the page: which runs are on display, and who is told when something changes. */
export class Dashboard {
  readonly #job: JobAnswer;
  readonly #places: Places;
  readonly #clock = new Clock();
  readonly #latency = new Latency();
  readonly #header: Header;
  readonly #cards: readonly PanelCard[];
  readonly #live: Live;
  readonly #empty = h("p", { class: "notice" }, "No run yet. This page shows the first one as soon as it starts.");
  readonly #panels = h("div", { id: "panels", class: "panels", tabindex: "-1" });
  #runs: readonly RunRecord[] = [];
  #ends: readonly End[] = [];
  #shown: readonly string[] = [];
  #address = addressed();

  constructor(job: JobAnswer, runs: RunsAnswer, places: Places) {
    this.#job = job;
    this.#places = places;
    document.title = job.title;
    this.#header = new Header(places.header, job, this.#clock, this.#latency, {
      choose: (run) => this.#choose({ run, ...(this.#address.with !== run && { with: this.#address.with }) }),
      compare: (other) => this.#choose({ run: this.#address.run, with: other }),
    });
    this.#cards = job.panels.map((panel) => new PanelCard(panel, this.#clock, this.#latency));
    this.#panels.append(...this.#cards.map((card) => card.element));
    places.main.replaceChildren(this.#empty, this.#panels);
    this.#live = this.#listen();
    this.#update(runs);
    onThemeChange(() => this.#each((card) => card.restyle()));
    setInterval(() => this.#tick(), 1000);
  }

  #listen(): Live {
    return new Live({
      events: {
        // The server came back with another job or page: what is on display is of the past.
        hello: ({ version }) => version !== this.#job.version && location.reload(),
        runs: (runs) => this.#update(runs),
        tables: ({ run, tables }) => this.#each((card) => card.tables(run, tables)),
        rows: ({ run, feeds }) => this.#each((card) => card.feed(run, feeds)),
        ends: ({ ends }) => this.#warn(ends),
        beat: ({ now }) => this.#clock.sync(now),
      },
      connected: (connected) => this.#connected(connected),
      refused: () =>
        void fetchRuns().then(
          (runs) => this.#update(runs),
          () => undefined,
        ),
    });
  }

  #choose(address: Address): void {
    // The newest run is shown by choosing none, and so is the one that comes after it.
    const run = address.run === this.#runs[0]?.run ? undefined : address.run;
    this.#address = { run, with: address.with };
    history.replaceState(null, "", `?${new URLSearchParams(Object.entries(this.#address).filter(isGiven))}`);
    this.#display();
  }

  #update({ now, runs }: RunsAnswer): void {
    this.#clock.sync(now);
    this.#runs = runs;
    this.#display();
  }

  /** Brings every part of the page in line with the runs there are and those that are chosen. */
  #display(): void {
    const chosen = this.#find(this.#address.run) ?? this.#runs[0];
    const other = this.#find(this.#address.with);
    const shown = [chosen, other === chosen ? undefined : other].filter((record) => record !== undefined);
    const names = shown.map(({ run }) => run);
    this.#empty.hidden = names.length > 0;
    this.#panels.hidden = names.length === 0;
    this.#header.update(this.#runs, shown);
    if (names.join() !== this.#shown.join()) this.#each((card) => card.show(names));
    this.#shown = names;
    this.#each((card) => card.about(this.#runs));
    this.#live.watch(names);
  }

  #find(run: string | undefined): RunRecord | undefined {
    return this.#runs.find((record) => record.run === run);
  }

  #connected(connected: boolean): void {
    const { banner } = this.#places;
    banner.hidden = connected;
    banner.textContent = connected ? "" : "Connection lost. What you see may be out of date; trying to connect again…";
    if (connected) this.#each((card) => card.retry());
  }

  /** Of what ends soon, from an hour before. */
  #warn(ends: readonly End[]): void {
    this.#ends = ends;
    const now = this.#clock.now();
    const soon = ends
      .map(({ at, what }) => ({ at: Date.parse(at), what }))
      .filter(({ at }) => at > now && at - now <= WARNS_MILLISECONDS);
    const text = soon
      .map(({ at, what }) => `In ${Math.ceil((at - now) / 60_000)} min, at ${moment(at, now)}, ${what}.`)
      .join(" ");
    const { ends: place } = this.#places;
    place.hidden = text === "";
    if (place.textContent !== text) place.textContent = text;
  }

  #tick(): void {
    this.#warn(this.#ends);
    this.#header.tick();
    this.#latency.tick();
    this.#each((card) => card.tick());
  }

  #each(act: (card: PanelCard) => void): void {
    for (const card of this.#cards) act(card);
  }
}

/** What the address of the page asks for, so that it can be kept and sent on. */
interface Address {
  /** @default the newest */
  readonly run?: string | undefined;
  /** @default no other run */
  readonly with?: string | undefined;
}

function addressed(): Address {
  const asked = new URLSearchParams(location.search);
  return { run: asked.get("run") ?? undefined, with: asked.get("with") ?? undefined };
}

const isGiven = (entry: [string, string | undefined]): entry is [string, string] => entry[1] !== undefined;
