import type { RunRecord } from "../../../core/run.ts";
import type { RunOrigin } from "../../../core/run-origin.ts";
import { fetchOrigin } from "./api.ts";
import { h, setText } from "./dom.ts";
import { shortened } from "./shortened.ts";

/** What is told of a run, by what it is called. */
type Facts = ReadonlyMap<string, string>;

const SHORT_COMMIT = 10;
const SHORT_DIGEST = 8;

/** What made the runs on display: settings, programs, commit. Of two runs, what differs comes first. Asked for when it is opened. */
export class Origins {
  readonly element: HTMLDetailsElement;
  readonly #summary = h("summary", {});
  readonly #place = h("div", {
    class: "table",
    tabindex: "0",
    role: "region",
    "aria-label": "What made the run",
  });
  #runs: readonly string[] = [];

  constructor() {
    this.element = h("details", {}, this.#summary, this.#place);
    this.element.addEventListener("toggle", () => void this.#fill());
  }

  /** @param shown the runs on display, one or two. */
  update(shown: readonly RunRecord[]): void {
    this.element.hidden = shown.length === 0;
    const runs = shown.map(({ run }) => run);
    if (runs.join() === this.#runs.join()) return;
    this.#runs = runs;
    setText(this.#summary, runs.length > 1 ? "What made these runs, and what differs" : "What made this run");
    void this.#fill();
  }

  async #fill(): Promise<void> {
    const runs = this.#runs;
    if (!this.element.open) return this.#place.replaceChildren();
    try {
      const origins = await Promise.all(runs.map(fetchOrigin));
      if (runs === this.#runs) this.#place.replaceChildren(tableOf(runs, origins.map(factsOf)));
    } catch (error) {
      this.#place.replaceChildren(h("p", {}, (error as Error).message));
    }
  }
}

function factsOf(origin: RunOrigin | null): Facts {
  if (!origin) return new Map();
  const changes = origin.changed ? ", and files changed since" : "";
  return new Map([
    ...Object.entries(origin.settings).map(([key, value]): [string, string] => [key, value ?? "secret"]),
    ...origin.steps.flatMap(({ name, arguments: given, files }): [string, string][] => [
      [`${name}: arguments`, given.join(" ")],
      ...Object.entries(files).map(([file, digest]): [string, string] => [
        `${name}: ${file}`,
        `content ${digest.slice(0, SHORT_DIGEST)}`,
      ]),
    ]),
    ...(origin.commit ? [["commit", `${origin.commit.slice(0, SHORT_COMMIT)}${changes}`] as const] : []),
    ["pulumi-oneoff", origin.version],
  ]);
}

function tableOf(runs: readonly string[], facts: readonly Facts[]): HTMLElement {
  if (facts.every((each) => each.size === 0)) return h("p", {}, "It was not recorded what made this run.");
  const names = [...new Set(facts.flatMap((each) => [...each.keys()]))];
  const differs = (name: string) => new Set(facts.map((each) => each.get(name))).size > 1;
  const sorted = [...names.filter(differs), ...names.filter((name) => !differs(name))];
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, ""),
    ...runs.map((run) => h("th", { scope: "col" }, `Run ${run}`)),
  );
  const rows = sorted.map((name) => {
    const mark = differs(name) ? " differs" : "";
    return h(
      "tr",
      {},
      h("th", { scope: "row", class: `origin-name${mark}` }, name),
      ...facts.map((each) => h("td", { class: `origin-value${mark}` }, shortened(each.get(name) ?? "–"))),
    );
  });
  return h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows));
}
