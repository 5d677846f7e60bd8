import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Bytes as they came. */
  readonly size: number;
  /** Parsed body. Tests know what they asked for. */
  // biome-ignore lint/suspicious/noExplicitAny: a test that reads the wrong thing fails
  readonly json: any;
}

/** A plain HTTP client, because fetch forbids to set the headers that an attacker's page would send. */
export async function get(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<Answer> {
  const response = await open(url, headers, method);
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  const bytes = Buffer.concat(pieces);
  const text = unpack(bytes, response.headers["content-encoding"]);
  return {
    status: response.statusCode as number,
    headers: response.headers,
    text,
    size: bytes.length,
    get json() {
      return JSON.parse(text);
    },
  };
}

/** Reads an answer to its last byte and throws it away. @returns its status. */
export async function drain(url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  const response = await open(url, headers, "GET");
  for await (const _ of response);
  return response.statusCode;
}

function unpack(bytes: Buffer, encoding: string | undefined): string {
  if (encoding === "br") return brotliDecompressSync(bytes).toString();
  return (encoding === "gzip" ? gunzipSync(bytes) : bytes).toString();
}

function open(url: string, headers: Readonly<Record<string, string>>, method: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { headers, method, agent: false }, resolve).on("error", reject).end();
  });
}

export interface ServerEvent {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test that reads the wrong thing fails
  readonly data: any;
}

/** A reader of server-sent events. */
export class EventReader {
  readonly events: ServerEvent[] = [];
  readonly headers: IncomingHttpHeaders;
  /** Settled when the server ends the stream. */
  readonly ended: Promise<void>;
  readonly #response: IncomingMessage;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.headers = response.headers;
    let text = "";
    response.setEncoding("utf8").on("data", (piece: string) => {
      const blocks = (text + piece).split("\n\n");
      text = blocks.pop() as string;
      for (const block of blocks) this.events.push(parse(block));
    });
    this.ended = new Promise((resolve) => response.once("close", resolve));
  }

  static async open(url: string): Promise<EventReader> {
    return new EventReader(await open(url, {}, "GET"));
  }

  /** The first event after `from` that is one of these. */
  async next(event: string, from = 0): Promise<ServerEvent> {
    const deadline = Date.now() + 5000;
    while (Date.now() < deadline) {
      const found = this.events.slice(from).find((candidate) => candidate.event === event);
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`no event ${event} came; there were ${JSON.stringify(this.events)}`);
  }

  close(): void {
    this.#response.destroy();
  }
}

function parse(block: string): ServerEvent {
  const field = (name: string) => block.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1] ?? "";
  return { event: field("event"), data: JSON.parse(field("data") || "null") };
}
