import type { Events } from "../api.ts";
import { eventsUrl } from "./api.ts";

export interface LiveHandlers {
  readonly events: { readonly [E in keyof Events]: (data: Events[E]) => void };
  /** Told true when there is a connection, false when there has been none for a moment. */
  connected(connected: boolean): void;
  /** The stream could not be had: perhaps what it was asked for is gone. */
  refused(): void;
}

/** Shorter gaps, such as between two streams, are nobody's concern. */
const GRACE_MILLISECONDS = 1500;
const RETRY_MILLISECONDS = 2000;
/** The server says something every 10 s; after this long the line is dead, whatever the browser thinks. */
const SILENCE_MILLISECONDS = 25_000;
/** A tab that nobody looks at gives its connection back: a browser has only six for one server. */
const HIDDEN_MILLISECONDS = 60_000;

/** The server's events for the runs on display, connected again by itself whenever the line is lost. */
export class Live {
  readonly #handlers: LiveHandlers;
  #runs: readonly string[] | undefined;
  #source: EventSource | undefined;
  #heard = Date.now();
  #lost: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #hide: ReturnType<typeof setTimeout> | undefined;

  constructor(handlers: LiveHandlers) {
    this.#handlers = handlers;
    setInterval(() => this.#source && Date.now() - this.#heard > SILENCE_MILLISECONDS && this.#reopen(), 5000);
    document.addEventListener("visibilitychange", () => this.#visibility());
  }

  /** Starts to listen to these runs, and to no others. */
  watch(runs: readonly string[]): void {
    if (this.#runs?.join() === runs.join()) return;
    this.#runs = runs;
    this.#open();
  }

  #open(): void {
    this.#close();
    this.#heard = Date.now();
    const source = new EventSource(eventsUrl(this.#runs ?? []));
    this.#source = source;
    source.addEventListener("open", () => this.#connected());
    source.addEventListener("error", () => this.#failed(source));
    for (const [name, handle] of Object.entries(this.#handlers.events)) {
      source.addEventListener(name, (event) => {
        this.#heard = Date.now();
        (handle as (data: unknown) => void)(JSON.parse((event as MessageEvent<string>).data));
      });
    }
  }

  #close(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = undefined;
  }

  #connected(): void {
    clearTimeout(this.#lost);
    this.#lost = undefined;
    this.#handlers.connected(true);
  }

  #failed(source: EventSource): void {
    if (source !== this.#source) return;
    this.#lost ??= setTimeout(() => this.#handlers.connected(false), GRACE_MILLISECONDS);
    // When the server is away the browser tries again itself; when it refuses, only we can.
    if (source.readyState !== EventSource.CLOSED) return;
    this.#handlers.refused();
    this.#retry = setTimeout(() => this.#reopen(), RETRY_MILLISECONDS);
  }

  #reopen(): void {
    if (document.hidden && !this.#source) return;
    this.#open();
  }

  #visibility(): void {
    clearTimeout(this.#hide);
    if (document.hidden) this.#hide = setTimeout(() => this.#close(), HIDDEN_MILLISECONDS);
    else if (!this.#source && this.#runs) this.#open();
  }
}
