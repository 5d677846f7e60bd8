import type { RunStatus } from "../core/run.ts";
import type { LogText } from "./step-log.ts";

/** A line that a step has printed. */
export interface LogLine {
  readonly name: string;
  readonly text: string;
}

/** Reads what steps print, line by line and only what is new. */
export class LogReader {
  readonly #read: (step: string, from: number) => Promise<LogText>;
  readonly #seen = new Map<string, { readonly next: number; readonly rest: string }>();

  constructor(read: (step: string, from: number) => Promise<LogText>) {
    this.#read = read;
  }

  /**
   * What there is by now, in the order of the steps.
   * @param isLast whether nothing comes after it: then a line may lack its end.
   */
  async read(steps: RunStatus["steps"], isLast: boolean): Promise<readonly LogLine[]> {
    const found: LogLine[] = [];
    for (const { name } of steps) {
      const before = this.#seen.get(name) ?? { next: 0, rest: "" };
      const { text, next } = await this.#read(name, before.next);
      const lines = (before.rest + text).split("\n");
      const last = lines.pop() as string; // empty where the last line has its end
      if (isLast && last !== "") lines.push(last);
      this.#seen.set(name, { next, rest: isLast ? "" : last });
      for (const line of lines) found.push({ name, text: line.replace(/\r$/, "") }); // one by one: they may be a million
    }
    return found;
  }
}
