import type { REQUIREMENTS_LOG } from "../../../core/step.ts";
import type { JobAnswer } from "../api.ts";
import { fetchLog, logUrl } from "./api.ts";
import { h, setText } from "./dom.ts";
import { LogReader } from "./log-reader.ts";
import { size } from "./size.ts";

/** The dashboard's lake and stack, as the page tells of them. */
export type LogPlace = Pick<JobAnswer, "lake" | "stack">;

/** What stands in the place of a step. As core has it, of which the page's bundle has the types alone. */
export const REQUIREMENTS: typeof REQUIREMENTS_LOG = "requirements";

/** How far from its end a text still counts as being read at its end. */
const NEAR_PIXELS = 24;
/** How many seconds pass from one look at what was added to the next: a bucket is billed by request. */
const EVERY_SECONDS = { near: 1, far: 5 } as const;

interface OpenLog {
  readonly step: string;
  readonly reader: LogReader;
  /** The end of all that is being read of it: one at a time. */
  turn: Promise<void>;
  waiting: number;
}

/** How a box is scrolled. */
type Scrolled = Pick<HTMLElement, "scrollHeight" | "scrollTop">;

/** The log of one step: its end first, what was before on demand, and what comes while the run goes on. */
export class LogView {
  readonly element: HTMLElement;
  readonly #place: LogPlace;
  readonly #title = h("p", { class: "log-title" });
  readonly #text = document.createTextNode("");
  readonly #box = h("pre", { class: "log-text", tabindex: "0", role: "group" }, this.#text);
  readonly #note = h("p", { class: "log-note", role: "status" });
  readonly #where = h("p", { class: "log-where" });
  readonly #earlier = h("button", { type: "button" }, "Earlier lines");
  readonly #end = h("button", { type: "button" }, "To the end");
  readonly #download = h("a", { class: "button" });
  #open: OpenLog | undefined;
  #grows = false;
  /** Whether its end is being read, which is then kept in sight. */
  #isFollowed = true;
  #seconds = 0;

  constructor(id: string, place: LogPlace) {
    this.#place = place;
    this.#earlier.addEventListener("click", () => void this.#readEarlier());
    this.#end.addEventListener("click", () => void this.#readEnd());
    this.#box.addEventListener("scroll", () => this.#scrolled());
    const buttons = h("div", { class: "log-buttons" }, this.#earlier, this.#end, this.#download);
    const head = h("div", { class: "log-head" }, this.#title, buttons);
    this.element = h("section", { class: "log", id }, head, this.#box, this.#note, this.#where);
    this.element.hidden = true;
  }

  /** Whose log is open. */
  get step(): string | undefined {
    return this.#open?.step;
  }

  /** Shows the end of a step's log. @param grows whether more may come. @returns whether there is one. */
  async open(run: string, step: string, grows: boolean): Promise<boolean> {
    const reader = new LogReader((range) => fetchLog(run, step, range));
    this.#open = { step, reader, turn: Promise.resolve(), waiting: 0 };
    this.#grows = grows;
    this.#isFollowed = true;
    this.#seconds = 0;
    this.element.hidden = false;
    const title = step === REQUIREMENTS ? "Log of installing what the steps require" : `Log of step ${step}`;
    setText(this.#title, title);
    this.element.setAttribute("aria-label", `${title}, run ${run}`);
    this.#box.setAttribute("aria-label", title);
    this.#where.replaceChildren(...whereabouts(this.#place, run, step));
    this.#download.href = logUrl(run, step);
    this.#download.download = `${run}-${step}.log`;
    this.#text.data = "";
    this.#tell("Reading…");
    await this.#readEnd();
    return reader.size !== undefined;
  }

  close(): void {
    this.#open = undefined;
    this.element.hidden = true;
    this.#text.data = "";
  }

  /** To be called once a second. @param grows whether more may come. */
  tick(grows: boolean): void {
    this.#grows = grows;
    if (!this.#open || document.hidden || !this.#isFollowed) return;
    if (!this.#isAtEnd) this.#toEnd(); // the page has another width
    if (!grows || this.#open.waiting > 0) return;
    this.#seconds += 1;
    const every = this.#place.lake.includes("://") ? EVERY_SECONDS.far : EVERY_SECONDS.near;
    if (this.#seconds % every === 0) void this.#follow();
  }

  #scrolled(): void {
    if (this.#isFollowed === this.#isAtEnd) return;
    this.#isFollowed = this.#isAtEnd;
    this.#tell();
  }

  get #isAtEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    return scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
  }

  #follow(): Promise<void> {
    return this.#read(
      (reader) => (reader.size === undefined ? reader.end() : reader.later()),
      () => this.#isFollowed && this.#toEnd(),
    );
  }

  #readEnd(): Promise<void> {
    return this.#read(
      (reader) => reader.end(),
      () => this.#toEnd(),
    );
  }

  /** What was read before stays where it is before the reader's eyes. */
  #readEarlier(): Promise<void> {
    return this.#read(
      (reader) => reader.earlier(),
      ({ scrollHeight, scrollTop }) => {
        this.#box.scrollTop = scrollTop + this.#box.scrollHeight - scrollHeight;
      },
    );
  }

  #toEnd(): void {
    this.#isFollowed = true;
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  /** @param place scrolls the box, which was so before there was other text in it. */
  #read(read: (reader: LogReader) => Promise<void>, place: (before: Scrolled) => void): Promise<void> {
    const open = this.#open;
    if (!open) return Promise.resolve();
    open.waiting += 1;
    open.turn = open.turn.then(async () => {
      const problem = await read(open.reader).then(
        () => undefined,
        (error: Error) => error.message,
      );
      open.waiting -= 1;
      if (open !== this.#open) return; // nobody looks at it any more
      const { scrollHeight, scrollTop } = this.#box;
      const isOther = replace(this.#text, open.reader.text);
      this.#tell(problem);
      if (isOther) place({ scrollHeight, scrollTop });
    });
    return open.turn;
  }

  /** @param problem what is wrong, or goes on. */
  #tell(problem?: string): void {
    const { size: bytes, earlierBytes = 0, isFull = false } = this.#open?.reader ?? {};
    this.#box.hidden = this.#text.data === "";
    const hasEarlier = earlierBytes > 0 && !isFull;
    if (!hasEarlier && document.activeElement === this.#earlier) this.#box.focus();
    this.#earlier.hidden = earlierBytes === 0;
    this.#earlier.disabled = !hasEarlier;
    this.#end.hidden = this.#box.hidden;
    this.#download.hidden = !bytes;
    setText(this.#download, `Download all (${size(bytes ?? 0)})`);
    const before = earlierBytes > 0 ? `${size(earlierBytes)} are before this. ` : "";
    const full = earlierBytes > 0 && isFull ? "That is as much as a page shows: download all of it. " : "";
    const waits = this.#grows && !this.#isFollowed ? "What is added is shown at the end alone." : "";
    setText(this.#note, problem ?? this.#absence(bytes) ?? `${before}${full}${waits}`.trim());
  }

  /** Why there is nothing, or nothing more, to be seen. */
  #absence(bytes: number | undefined): string | undefined {
    if (bytes === 0) return this.#grows ? "The log is empty so far." : "The log is empty.";
    if (bytes !== undefined) return undefined;
    if (this.#text.data !== "") return "The log is no longer in the lake; this was read of it before.";
    return this.#grows ? "There is no log yet. It appears here as soon as there is one." : "There is no log of it.";
  }
}

/** Puts in what is other alone, so that what somebody has marked stays so. @returns whether anything was. */
function replace(node: Text, text: string): boolean {
  const old = node.data;
  if (old === text) return false;
  const most = Math.min(old.length, text.length);
  let start = 0;
  while (start < most && old[start] === text[start]) start += 1;
  let end = 0;
  while (end < most - start && old[old.length - 1 - end] === text[text.length - 1 - end]) end += 1;
  node.replaceData(start, old.length - start - end, text.slice(start, text.length - end));
  return true;
}

/** Where the log is, and what shows it elsewhere. */
function whereabouts({ lake, stack }: LogPlace, run: string, step: string): readonly (Node | string)[] {
  const address = h("code", {}, `${lake}/_logs/${run}/${step}.log`);
  if (step === REQUIREMENTS) return ["In the lake: ", address];
  const words = ["npx", "--no", "oneoff", "logs", ...(stack ? [stack] : []), "--step", step, "--run", run];
  return ["In the lake: ", address, ". In a terminal: ", h("code", {}, words.map(shellWord).join(" "))];
}

const shellWord = (word: string): string =>
  /^[\w./:-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
