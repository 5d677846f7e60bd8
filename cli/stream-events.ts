/** The events of a stack's page, as a browser that has it open gets them. */
import type { Events } from "../assets/dashboard/api.ts";
import { type StreamFigures, StreamMeter } from "./stream.ts";
import { pause } from "./waiting.ts";

const RETRY_MS = 2000;
/** The page says something every 10 s: after this long its connection is dead. */
const SILENCE_MS = 25_000;

/** Looks at a stream's figures from beside its page, until it is stopped. */
export class StreamReader {
  readonly #address: string;
  readonly #stop = new AbortController();
  readonly #say: (line: string) => void;
  #meter = new StreamMeter();
  #isSilent = false;

  /**
   * @param page its address.
   * @param hint what brings it back where it is gone.
   */
  constructor(page: string, run: string, hint: string, say: (line: string) => void) {
    this.#address = `${page.replace(/\/$/, "")}/api/events?run=${encodeURIComponent(run)}`;
    this.#say = (why) => say(`The page at ${page} tells nothing of the stream (${why}): ${hint}`);
    void this.#follow();
  }

  figures(): StreamFigures | undefined {
    return this.#meter.figures();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const problem = await this.#listen().catch((error: Error) => (error.cause as Error | undefined) ?? error);
      if (signal.aborted) return;
      this.#meter = new StreamMeter(); // what was known grows old
      if (!this.#isSilent) this.#say(problem?.message ?? "it has closed the connection");
      this.#isSilent = true;
      await pause(signal, RETRY_MS);
    }
  }

  async #listen(): Promise<undefined> {
    const dead = new AbortController();
    let timer = setTimeout(() => dead.abort(new Error("it says nothing")), SILENCE_MS);
    try {
      const signal = AbortSignal.any([this.#stop.signal, dead.signal]);
      const { ok, status, body } = await fetch(this.#address, { signal });
      if (!ok || !body) throw new Error(`it answers ${status}`);
      let isNews = false;
      for await (const { event, data } of eventsIn(body)) {
        timer = timer.refresh();
        this.#isSilent = false;
        if (event !== "rows") continue;
        this.#meter.note((JSON.parse(data) as Events["rows"]).feeds, isNews);
        isNews = true;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** Server-sent events, as the page's server writes them: a line each for name and data, and an empty one. */
async function* eventsIn(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let text = "";
  for await (const piece of body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
    const blocks = (text + piece).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(
        block.split("\n").map((line) => {
          const colon = line.indexOf(": ");
          return [line.slice(0, colon), line.slice(colon + 2)] as const;
        }),
      );
      yield { event: fields.get("event") ?? "", data: fields.get("data") ?? "" };
    }
  }
}
