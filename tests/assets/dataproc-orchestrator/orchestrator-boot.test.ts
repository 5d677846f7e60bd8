/** How the container comes to its program: as a process, against a storage that asks for a token and one that asks for none. */
// @module-tag go
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createPlainServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type FakeStorage, startStorage } from "../../google/storage.ts";
import { until } from "./orchestrator.ts";

const TEXT = readFileSync(new URL("../../../assets/dataproc-orchestrator/boot.mjs", import.meta.url), "utf8");
const KEYS = ["_code/abc/orchestrator.mjs", "_clusters/7/launch.json"] as const;
/** Says what it was started with. */
const PROGRAM = `import { readFileSync } from "node:fs";
console.log("runs", process.argv.length, readFileSync(process.argv[2], "utf8"));
`;

const folder = mkdtempSync(join(tmpdir(), "oneoff-boot-"));
let storage: FakeStorage;
/** Stands before the storage, and asks for a token. */
let guarded: Server;
let metadata: Server;
let bucket: string;
let buckets = 0;
/** What is answered instead: by the guard, and by the metadata server. */
let refusals: { storage: number[]; token: number[] };
let asked: { storage: number; token: number };

const hostOf = (server: Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`;

beforeAll(async () => {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const made = ["-out", cert, "-keyout", key, "-subj", "/CN=storage", "-addext", "subjectAltName=IP:127.0.0.1"];
  await promisify(execFile)("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...made]);
  storage = await startStorage();
  guarded = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, guard).listen(0, "127.0.0.1");
  metadata = createPlainServer(giveToken).listen(0, "127.0.0.1");
  await Promise.all([once(guarded, "listening"), once(metadata, "listening")]);
});
afterAll(() => {
  for (const server of [guarded, metadata]) server?.close();
  storage?.close();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  refusals = { storage: [], token: [] };
  asked = { storage: 0, token: 0 };
  buckets += 1;
  bucket = `lake-${buckets}`;
  await storage.makeBucket(bucket);
});

async function guard({ url, headers }: IncomingMessage, response: ServerResponse) {
  asked.storage += 1;
  const refused = headers.authorization === "Bearer token" ? refusals.storage.shift() : 401;
  if (refused) return response.writeHead(refused).end("Access\ndenied.");
  const answer = await fetch(`${storage.url}${url}`);
  return response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
}

function giveToken({ url, headers }: IncomingMessage, response: ServerResponse) {
  asked.token += 1;
  const isRight = url === "/computeMetadata/v1/instance/service-accounts/default/token";
  const refused = isRight && headers["metadata-flavor"] === "Google" ? refusals.token.shift() : 400;
  return response.writeHead(refused ?? 200).end(JSON.stringify({ access_token: "token", expires_in: 3599 }));
}

/** The container, which may wait for so many seconds. */
function start(patience: number, address = `https://${hostOf(guarded)}`) {
  const env = {
    PATH: process.env.PATH,
    TMPDIR: folder,
    GCE_METADATA_HOST: hostOf(metadata),
    CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: address,
    NODE_EXTRA_CA_CERTS: join(folder, "cert.pem"),
    ONEOFF_PATIENCE: String(patience),
    ONEOFF_PAUSE: "0.05",
  };
  const child = spawn(process.execPath, ["--input-type=module", "-e", TEXT, bucket, ...KEYS], { env });
  const container = { child, said: "", errors: "", ended: once(child, "close") };
  child.stdout.on("data", (chunk) => {
    container.said += chunk;
  });
  child.stderr.on("data", (chunk) => {
    container.errors += chunk;
  });
  return container;
}

const put = (program = PROGRAM) =>
  Promise.all([storage.put(bucket, KEYS[0], program), storage.put(bucket, KEYS[1], '{"run":"7"}')]);

test("runs the program with its launch file as the one argument, and ends as that does", async () => {
  await put(`${PROGRAM}process.exit(3);`);
  const container = start(60);
  expect(await container.ended).toEqual([3, null]);
  expect(container).toMatchObject({ said: 'runs 3 {"run":"7"}\n', errors: "" });
});

test("what is refused for a while, or is not there yet, is asked for until it is", async () => {
  refusals = { storage: [401, 403, 403, 429, 500, 503], token: [404, 503] };
  const container = start(60);
  await until(() => asked.storage > 8); // those, and some for what is not there
  expect(container.said).toBe("");
  await put();
  expect(await container.ended).toEqual([0, null]);
  expect(container.said).toBe('runs 3 {"run":"7"}\n');
});

test("a storage that can't be reached yet is too", async () => {
  await put();
  const { port } = guarded.address() as AddressInfo;
  guarded.close();
  const container = start(60, `https://127.0.0.1:${port}`);
  await until(() => asked.token > 1);
  guarded.listen(port, "127.0.0.1");
  expect(await container.ended).toEqual([0, null]);
});

test.each([
  [
    "is never there",
    () => {},
    /^gs:\/\/lake-\d+\/_clusters\/7\/launch\.json can't be had: 127\.0\.0\.1:\d+ answers 404/,
  ],
  [
    "is always refused",
    () => {
      refusals.storage = Array(1000).fill(403);
    },
    /^gs:\/\/lake-\d+\/_code\/abc\/orchestrator\.mjs can't be had: 127\.0\.0\.1:\d+ answers 403: Access denied\.$/,
  ],
  [
    "has no token",
    () => {
      refusals.token = Array(1000).fill(404);
    },
    /orchestrator\.mjs can't be had: 127\.0\.0\.1:\d+ answers 404/,
  ],
])("what %s ends it, with one line that says so", async (_, prepare, message) => {
  await storage.put(bucket, KEYS[0], PROGRAM);
  prepare();
  const container = start(1);
  expect(await container.ended).toEqual([1, null]);
  expect(container.said.trim().split("\n")).toHaveLength(1);
  expect(JSON.parse(container.said)).toEqual({ severity: "ERROR", message: expect.stringMatching(message) });
  expect(asked.token).toBeGreaterThan(1);
});

test("what will never be otherwise is asked for once", async () => {
  refusals.storage = [400];
  const container = start(60);
  expect(await container.ended).toEqual([1, null]);
  expect(JSON.parse(container.said).message).toMatch(/answers 400: Access denied\.$/);
  expect(asked.storage).toBe(1);
});

test("an emulator gets no token", async () => {
  await put();
  const container = start(60, storage.url);
  expect(await container.ended).toEqual([0, null]);
  expect(container.said).toBe('runs 3 {"run":"7"}\n');
  expect(asked.token).toBe(0);
});

test("it ends when it is told to, and leaves that to the program once there is one", async () => {
  const waiting = start(60);
  await until(() => asked.storage > 1);
  waiting.child.kill("SIGTERM");
  expect(await waiting.ended).toEqual([143, null]);

  await put(`process.on("SIGTERM", () => setTimeout(() => process.exit(5), 50)); setInterval(() => {}, 1000);
console.log("listens"); await new Promise(() => {});`);
  const running = start(60);
  await until(() => running.said.includes("listens"));
  running.child.kill("SIGTERM");
  expect(await running.ended).toEqual([5, null]);
});
