/** Google's APIs on this machine, as far as a test scripts them: answers by route, and keeps what it was asked. */
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Asked {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: unknown;
}

/** What is answered: a status (200) and JSON. */
export interface Answer {
  readonly status?: number;
  readonly body?: unknown;
}

/** Answers a request whose method and path fit the pattern; `found` has what its groups matched. */
export type Route = readonly [
  pattern: RegExp,
  answer: Answer | ((asked: Asked, found: RegExpExecArray) => Answer | Promise<Answer>),
];

export interface FakeApi {
  readonly url: string;
  /** What it was asked so far, but for tokens. */
  readonly asked: Asked[];
  /** The first that fits answers; what fits none is a 404 as Google words it. */
  routes: readonly Route[];
  /** Environment with which Google's client libraries take their credentials from here: those of a service account. */
  readonly env: Readonly<Record<string, string>>;
  close(): void;
}

/** An error as Google's APIs answer it. */
export const refusal = (code: number, message: string, status = "FAILED_PRECONDITION", details?: unknown): Answer => ({
  status: code,
  body: { error: { code, message, status, ...(details !== undefined && { details }) } },
});

/** @param project of the credentials. */
export async function startApi(routes: readonly Route[] = [], project = "test-project"): Promise<FakeApi> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { method = "GET", url: path = "/" } = request;
    const reply = ({ status = 200, body = {} }: Answer) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (path === "/token") return reply({ body: { access_token: "token", expires_in: 3600, token_type: "Bearer" } });
    const one: Asked = { method, path, body: text.startsWith("{") ? JSON.parse(text) : text };
    asked.push(one);
    for (const [pattern, answer] of api.routes) {
      const found = pattern.exec(`${method} ${path}`);
      if (found) return reply(typeof answer === "function" ? await answer(one, found) : answer);
    }
    reply(refusal(404, `Not found: ${method} ${path}`, "NOT_FOUND"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const folder = mkdtempSync(join(tmpdir(), "oneoff-google-"));
  const file = join(folder, "credentials.json");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(
    file,
    JSON.stringify({
      type: "service_account",
      project_id: project,
      private_key_id: "1",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      client_email: `tester@${project}.iam.gserviceaccount.com`,
      client_id: "1",
      token_uri: `${url}/token`,
    }),
  );
  const api: FakeApi = {
    url,
    asked,
    routes,
    env: { GOOGLE_APPLICATION_CREDENTIALS: file, GOOGLE_CLOUD_PROJECT: project },
    close() {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return api;
}
