import type { Live } from "../../../core/panel.ts";
import type { FeedRow, RowsAnswer } from "../api.ts";
import type { ResultColumn, Value } from "../engine.ts";

/** What a panel's feed has brought, to be shown with the rows of its sql. */
export class LiveRows {
  readonly #live: Live;
  /** The last rows by their key, the newest at the end. */
  readonly #fed = new Map<string, FeedRow>();
  /** When the newest of those happened that nobody has seen yet, in milliseconds since 1970. */
  #unseen: number | undefined;

  constructor(live: Live) {
    this.#live = live;
  }

  /** @returns whether any of them are the panel's. */
  add(rows: readonly FeedRow[]): boolean {
    const { key, where = {}, time } = this.#live;
    const mine = rows.filter((row) => Object.entries(where).every(([column, value]) => row[column] === value));
    for (const row of mine) {
      const name = nameOf(key.map((column) => row[column] ?? null));
      this.#fed.delete(name); // it becomes the newest
      this.#fed.set(name, row);
      const at = Date.parse(String(row[time]));
      if (!(at <= (this.#unseen ?? Number.NEGATIVE_INFINITY))) this.#unseen = at;
    }
    for (const old of this.#fed.keys()) {
      if (this.#fed.size <= this.#live.rows) break;
      this.#fed.delete(old);
    }
    return mine.length > 0;
  }

  /** When what is about to be seen for the first time happened; undefined when there is nothing new. */
  takeUnseen(): number | undefined {
    const at = this.#unseen;
    this.#unseen = undefined;
    return at;
  }

  /** The last rows of both, each once. */
  with<Answer extends Pick<RowsAnswer, "columns" | "rows">>(answer: Answer): Answer {
    if (this.#fed.size === 0) return answer;
    const keys = this.#live.key.map((name) => answer.columns.find((column) => column.name === name)?.values ?? []);
    const kept = Array.from({ length: answer.rows }, (_, i) => i).filter(
      (i) => !this.#fed.has(nameOf(keys.map((values) => values[i] ?? null))),
    );
    const fed = [...this.#fed.values()];
    const skipped = Math.max(0, kept.length + fed.length - this.#live.rows);
    const columns = answer.columns.map((column): ResultColumn => {
      const before = kept.slice(skipped).map((i) => column.values[i] ?? null);
      const after = fed.slice(Math.max(0, skipped - kept.length)).map((row) => row[column.name] ?? null);
      return { ...column, values: [...before, ...after] };
    });
    return { ...answer, columns, rows: kept.length + fed.length - skipped };
  }
}

const nameOf = (key: readonly Value[]): string => JSON.stringify(key);
