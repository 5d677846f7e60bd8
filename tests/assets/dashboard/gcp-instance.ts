/** The instance of a dashboard on Google Cloud, on this machine: what it is set up with, and a Google to run it against. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { parse } from "yaml";
import { type CloudConfigArgs, cloudConfig } from "../../../assets/dashboard/instance/gcp/user-data.ts";
import { freePort } from "../../free-port.ts";
import { type FakeStorage, startStorage } from "../../google/storage.ts";

export const BOOTSTRAP = fileURLToPath(
  new URL("../../../assets/dashboard/instance/gcp/bootstrap.mjs", import.meta.url),
);

export const given: CloudConfigArgs = {
  bucket: "lake-1a2b",
  prefix: "_dashboard/board",
  image: "gcr.io/distroless/nodejs24-debian12",
  port: 8765,
};
interface Config {
  readonly write_files: readonly { readonly path: string; readonly permissions: string; readonly content: string }[];
  readonly runcmd: readonly (readonly string[])[];
}
export const config = (args: Partial<CloudConfigArgs> = {}): Config => parse(cloudConfig({ ...given, ...args }));

/** The container's command as systemd would start it. */
export const command = (args: Partial<CloudConfigArgs> = {}): readonly string[] => {
  const unit = config(args).write_files.find(({ path }) => path.endsWith(".service"))?.content ?? "";
  return (/^ExecStart=((?:.*\\\n)*.*)$/m.exec(unit)?.[1] ?? "").replaceAll("\\\n", " ").split(/\s+/);
};
export const option = (name: string, from = command()): readonly string[] =>
  from.filter((_, i) => from[i - 1] === `--${name}`).map(String);
export const environment = (args: Partial<CloudConfigArgs> = {}): Record<string, string> =>
  Object.fromEntries(option("env", command(args)).map((item) => /^(\w+)=(.*)$/.exec(item)?.slice(1) ?? []));

/** A storage and a metadata server, and what stands between them and the program: its network and its access. */
export class Google {
  readonly storage: FakeStorage;
  readonly #server: Server;
  /** What the storage answers instead; undefined where it is there. */
  fails: number | undefined;
  /** The token that the storage takes. */
  valid = "t1";
  /** The one that the metadata server gives; undefined where it refuses. */
  token: string | undefined = "t1";
  /** How many were given. */
  tokens = 0;
  /** What the storage was asked. */
  asked: string[] = [];

  private constructor(storage: FakeStorage) {
    this.storage = storage;
    this.#server = createServer((request, response) => this.#answer(request, response)).listen(0, "127.0.0.1");
  }

  static async start(): Promise<Google> {
    const google = new Google(await startStorage());
    await once(google.#server, "listening");
    return google;
  }

  /** Host and port of both. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** As it was at first. */
  reset(): void {
    Object.assign(this, { fails: undefined, valid: "t1", token: "t1", tokens: 0, asked: [] });
  }

  async #answer({ url = "", headers }: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const reply = (status: number, body: string | Uint8Array = "") => response.writeHead(status).end(body);
    if (url === "/computeMetadata/v1/instance/service-accounts/default/token") {
      if (headers["metadata-flavor"] !== "Google") return reply(403, "Missing Metadata-Flavor:Google header.");
      if (this.token === undefined) return reply(404, "service account not defined");
      this.tokens += 1;
      return reply(200, JSON.stringify({ access_token: this.token, expires_in: 3599, token_type: "Bearer" }));
    }
    this.asked.push(url);
    if (this.fails) return reply(this.fails, "Service Unavailable");
    if (headers.authorization !== `Bearer ${this.valid}`) return reply(401, "Invalid Credentials");
    const answer = await fetch(`${this.storage.url}${url}`);
    return reply(answer.status, new Uint8Array(await answer.arrayBuffer()));
  }

  close(): void {
    this.storage.close();
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** A release that says which it is, after what is done first. */
export const program = (first = "") => `
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
const { token, port } = JSON.parse(readFileSync(process.argv[2], "utf8"));
${first}
const server = createServer((_, response) => response.end(JSON.stringify({ name: "oneoff-dashboard", token })));
server.listen(port, process.env.ONEOFF_DASHBOARD_ADDRESS, () => console.log(token + " listens"));
process.on("SIGTERM", () => { console.log(token + " ends"); process.exit(0); });
process.on("SIGUSR2", () => process.exit(3));
`;

/** How long something is waited for that comes after a few processes have started. */
const PATIENCE_MS = 120_000;

let buckets = 0;
/** One machine: its disk, its part of the lake and the program on it. */
export class Instance {
  readonly home = mkdtempSync(join(tmpdir(), "oneoff-instance-"));
  readonly bucket = `lake-${buckets++}`;
  readonly port: number;
  readonly children: ChildProcess[] = [];
  readonly #google: Google;
  said = "";

  private constructor(google: Google, port: number) {
    this.#google = google;
    this.port = port;
  }

  static async create(google: Google): Promise<Instance> {
    const made = new Instance(google, await freePort());
    await google.storage.makeBucket(made.bucket);
    return made;
  }

  /** Puts files of a release; those of it that are undefined are left out. */
  async put(digest: string, change: Readonly<Record<string, string | undefined>> = {}): Promise<void> {
    const config = JSON.stringify({ token: digest[0], port: this.port });
    const files = { "index.mjs": program(), "config.json": config, "page/index.html": "<p>", ...change };
    for (const [name, content] of Object.entries(files)) {
      if (content !== undefined)
        await this.#google.storage.put(this.bucket, `_dashboard/board/${digest}/${name}`, content);
    }
  }

  name(digest: string): Promise<void> {
    return this.#google.storage.put(this.bucket, "_dashboard/board/current", digest);
  }

  async publish(digest: string, change: Readonly<Record<string, string | undefined>> = {}): Promise<void> {
    await this.put(digest, change);
    await this.name(digest);
  }

  /** Starts the program as its unit does, but for where things are on this machine. */
  start(patience = 20): ChildProcess {
    const env = {
      ...environment({ bucket: this.bucket, port: this.port }),
      PATH: process.env.PATH,
      ONEOFF_HOME: this.home,
      ONEOFF_LOOK: "0.1",
      ONEOFF_PATIENCE: String(patience),
      GCE_METADATA_HOST: this.#google.address,
      CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `http://${this.#google.address}`,
    };
    const child = spawn(process.execPath, [BOOTSTRAP], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.children.push(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (piece: string) => {
        this.said += piece;
      });
    }
    return child;
  }

  /** Which release answers. */
  async running(): Promise<string | undefined> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/identity`).catch(() => undefined);
    const told = (await answer?.json()) as { token: string } | undefined;
    return told?.token;
  }

  says(text: string | RegExp): Promise<void> {
    return expect.poll(() => this.said, { timeout: PATIENCE_MS }).toMatch(text);
  }

  runs(token: string): Promise<void> {
    return expect.poll(() => this.running(), { timeout: PATIENCE_MS }).toBe(token);
  }

  releases(): readonly string[] {
    return readdirSync(this.home).filter((name) => name !== "kept.json");
  }

  /** Waits until it has looked again, from beginning to end. */
  async looked(): Promise<void> {
    const looks = () => this.#google.asked.filter((url) => url.includes("current")).length;
    const before = looks();
    await expect.poll(looks, { timeout: PATIENCE_MS }).toBeGreaterThan(before + 1);
  }

  async remove(): Promise<void> {
    for (const child of this.children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    rmSync(this.home, { recursive: true });
  }
}
