/** Google Cloud Storage on this machine (https://github.com/fsouza/fake-gcs-server): keeps objects, and asks for no credentials. */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../free-port.ts";
import { goBuild } from "../go-build.ts";

export interface FakeStorage {
  readonly url: string;
  /** Environment with which clients/google.ts finds it, and Arrow, which also wants the credentials of `startApi`. */
  readonly env: Readonly<Record<string, string>>;
  makeBucket(name: string): Promise<void>;
  put(bucket: string, key: string, content: string | Uint8Array): Promise<void>;
  /** Undefined when there is no such object. */
  get(bucket: string, key: string): Promise<string | undefined>;
  keys(bucket: string, prefix?: string): Promise<readonly string[]>;
  close(): void;
}

/** The server's program, which Go builds once. */
export const storageServer = (): Promise<string> =>
  goBuild(fileURLToPath(new URL("storage", import.meta.url)), "github.com/fsouza/fake-gcs-server");

const PATIENCE_MS = 120_000;

/** Starts it, empty, on a free port. */
export async function startStorage(): Promise<FakeStorage> {
  const program = await storageServer(); // minutes may pass, in which another could take the port
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    program,
    [
      ...["-scheme", "http", "-host", "127.0.0.1", "-port", String(port), "-backend", "memory", "-log-level", "error"],
      // Where the client is sent for the rest of an upload.
      ...["-public-host", `127.0.0.1:${port}`, "-external-url", url],
    ],
    { stdio: "ignore" },
  );
  await answers(url, child);
  const checked = async (path: string, init?: RequestInit) => {
    const answer = await fetch(`${url}${path}`, init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  return {
    url,
    env: { CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: url, CLOUD_STORAGE_EMULATOR_ENDPOINT: url },
    async makeBucket(name) {
      await checked("/storage/v1/b?project=test", { method: "POST", body: JSON.stringify({ name }) });
    },
    async put(bucket, key, content) {
      const query = `uploadType=media&name=${encodeURIComponent(key)}`;
      await checked(`/upload/storage/v1/b/${bucket}/o?${query}`, { method: "POST", body: Buffer.from(content) });
    },
    async get(bucket, key) {
      const answer = await fetch(`${url}/storage/v1/b/${bucket}/o/${encodeURIComponent(key)}?alt=media`);
      return answer.ok ? answer.text() : undefined;
    },
    async keys(bucket, prefix = "") {
      const answer = await checked(`/storage/v1/b/${bucket}/o?prefix=${encodeURIComponent(prefix)}`);
      const { items = [] } = (await answer.json()) as { items?: { name: string }[] };
      return items.map(({ name }) => name).sort();
    },
    close: () => void child.kill(),
  };
}

/** Waits until it does. */
async function answers(url: string, child: ChildProcess): Promise<void> {
  const isUp = () =>
    fetch(`${url}/_internal/healthcheck`).then(
      (answer) => answer.ok,
      () => false,
    );
  for (const end = Date.now() + PATIENCE_MS; !(await isUp()); await sleep(50)) {
    if (child.exitCode !== null) throw new Error(`fake-gcs-server ended with ${child.exitCode}`);
    if (Date.now() < end) continue;
    child.kill("SIGKILL");
    throw new Error(`fake-gcs-server did not answer at ${url} within ${PATIENCE_MS / 1000} s`);
  }
}
