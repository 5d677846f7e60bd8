/** What is to be told of a stream while it goes on. */
import type { FeedRow } from "../assets/dashboard/api.ts";
import { number } from "./described.ts";
import { Speed } from "./speed.ts";

/** A stack's stream, as this machine reaches it. */
export interface Stream {
  /** Its brokers: HOST:PORT, several separated by commas. @default this machine doesn't reach them */
  readonly kafka?: string | undefined;
  /** Address of the page that is told of rows as they come. @default there is none */
  readonly page?: string | undefined;
}

/** How a stream does now. What is not known yet is undefined. */
export interface StreamFigures {
  /** Records that were predicted, of all topics. */
  readonly records: number;
  readonly perSecond: number | undefined;
  /** Seconds from the newest event of the last batch to its prediction. */
  readonly lag: number | undefined;
  /** Mean squared error so far, by topic. */
  readonly errors: Readonly<Record<string, number>>;
  /** Within how many seconds after they happened 95 % of the events are with whoever looks at the page. */
  readonly seen: number | undefined;
}

/** What the percentile is of. */
const WINDOW_MS = 10_000;
/** And how many pictures at most. */
const MOST_SEEN = 500;

/** Rows by feed, as the page is told of them. */
export type FeedRows = Readonly<Record<string, readonly FeedRow[]>>;

interface Topic {
  readonly predicted: number;
  readonly error: number;
}

/** Works out how a stream does from the rows that its job sends to the page. */
export class StreamMeter {
  readonly #topics = new Map<string, Topic>();
  readonly #speed = new Speed();
  #seen: readonly { readonly at: number; readonly seconds: number }[] = [];
  #lag: { readonly moment: string; readonly seconds: number } | undefined;

  /**
   * Takes in rows that came now.
   * @param isNews false for those that were there before somebody looked.
   */
  note({ errors = [], batches = [], predictions = [] }: FeedRows, isNews: boolean, now = Date.now()): void {
    for (const { topic, error, predicted } of errors) {
      this.#topics.set(String(topic), { predicted: Number(predicted), error: Number(error) });
    }
    for (const { moment, what, took } of batches) {
      if (what !== "delay" || typeof took !== "number" || String(moment) < (this.#lag?.moment ?? "")) continue;
      this.#lag = { moment: String(moment), seconds: took };
    }
    if (errors.length > 0) this.#speed.note(this.#records(), now);
    const newest = Math.max(...predictions.map(({ event_time }) => Date.parse(String(event_time))));
    if (isNews && Number.isFinite(newest)) {
      this.#seen = [...this.#seen, { at: now, seconds: Math.max(0, now - newest) / 1000 }].slice(-MOST_SEEN);
    }
    this.#forget(now);
  }

  /** Undefined before anything came. */
  figures(now = Date.now()): StreamFigures | undefined {
    if (this.#topics.size === 0) return undefined;
    this.#forget(now);
    const seconds = this.#seen.map((one) => one.seconds).sort((a, b) => a - b);
    return {
      records: this.#records(),
      perSecond: this.#speed.perSecond(now),
      lag: this.#lag?.seconds,
      errors: Object.fromEntries([...this.#topics].map(([topic, { error }]) => [topic, error])),
      seen: seconds[Math.ceil(0.95 * seconds.length) - 1],
    };
  }

  #records(): number {
    return [...this.#topics.values()].reduce((sum, { predicted }) => sum + predicted, 0);
  }

  #forget(now: number): void {
    this.#seen = this.#seen.filter(({ at }) => at > now - WINDOW_MS);
  }
}

/** In one line, for people. */
export function streamLine({ records, perSecond, lag, errors, seen }: StreamFigures): string {
  const speed = perSecond === undefined ? "" : ` (${number(perSecond, 3)}/s)`;
  const told = Object.entries(errors).map(([topic, error]) => `${topic} ${number(error, 3)}`);
  return [
    `records ${number(records)}${speed}`,
    ...(lag === undefined ? [] : [`lag ${lag.toFixed(2)} s`]),
    `error ${told.join(", ")}`,
    ...(seen === undefined ? [] : [`95 % on the page within ${seen.toFixed(2)} s`]),
  ].join("; ");
}

/** For programs. */
export const streamJson = ({ records, perSecond, lag, errors, seen }: StreamFigures) => ({
  records,
  perSecond: rounded(perSecond),
  lagSeconds: rounded(lag),
  errors,
  eventToPageP95Seconds: rounded(seen),
});

const rounded = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(value * 1000) / 1000;
