/** A stream's store is a real OpenSearch, with TLS, logins and roles: what dies, what is refused, and what Kibana's panels ask. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kibanaObjects, ndjson } from "../../assets/jobs/streaming-regression/kibana/index.ts";
import { draw } from "../jobs/kibana-draw.ts";
import { readObjects, specsOf } from "../jobs/kibana-schema.ts";
import { figuresOf } from "./figures.ts";
import { OpenSearch } from "./opensearch.ts";
import { stored } from "./stored.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const python = at("../../.oneoff/venv/bin/python");
const INDEX = "streaming-regression";

let folder: string;
let store: OpenSearch;
let login: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-store-"));
  store = await OpenSearch.start(join(folder, "opensearch"));
  login = await store.addWriter("stream", `${INDEX}*`);
}, 600_000);
afterAll(async () => {
  await store?.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

interface Fed {
  readonly code: number | null;
  readonly signal: string | null;
  readonly error: string;
}

/** Sends 300 records through an engine into a lake and an index; `dies` is where it is killed. */
async function feed(name: string, dies = "", as: { readonly login?: string; readonly ca?: string } = {}): Promise<Fed> {
  mkdirSync(join(folder, name), { recursive: true });
  const told = { address: store.address, index: `${INDEX}-${name}`, login, ca: store.ca, ...as };
  const env = { ...process.env, ONEOFF_STREAM_DIES: dies, ONEOFF_TEST_STORE: JSON.stringify(told) };
  try {
    await promisify(execFile)(python, [at("feed.py"), join(folder, name), "2", "r1"], { env });
    return { code: 0, signal: null, error: "" };
  } catch (error) {
    const { code, signal, stderr } = error as { code: number | null; signal: string | null; stderr: string };
    return { code, signal, error: stderr };
  }
}

const look = (name: string) => stored(store, `${INDEX}-${name}`, join(folder, name));

const DIES = [
  "after-lake:2",
  "store-told:1",
  "store-told:5",
  "after-store:3",
  "state-torn:2",
  "state-written:4",
  "state-saved:5",
];

test.each([...DIES, "part-begun:3", "piece-removed:2"])(
  "killed at %s, each record is one document, equal to the lake's row",
  async (dies) => {
    const name = dies.replace(":", "-");
    expect(await feed(name, dies)).toMatchObject({ signal: "SIGKILL" });
    expect(await feed(name)).toEqual({ code: 0, signal: null, error: "" });
    expect(await look(name)).toBe("300 documents are the lake's rows\n");
  },
  300_000,
);

test("a wrong password, a user without rights and a certificate of somebody else are refused in a sentence", async () => {
  expect((await feed("refused", "", { login: "stream:wrong" })).error).toMatch(
    /StoreError: https:\S+ answers 401 to PUT \/_index_template\/\S+: give the store's user and password, secret store-login/,
  );
  await store.addWriter("other", "other");
  const [, password] = login.split(":");
  expect((await feed("refused", "", { login: `other:${password}` })).error).toMatch(
    /answers 403 to PUT \/\S+, security_exception: no permissions .*: take a user who may manage index templates/,
  );
  expect((await feed("refused", "", { ca: at("../../node_modules/node/nowhere.pem") })).error).toContain(
    "give PEM, storeCa",
  );
}, 300_000);

test("what Kibana's panels ask is answered, drawn, and what the lake has", async () => {
  const name = "panels";
  expect(await feed(name)).toMatchObject({ code: 0 });
  await store.must("POST", `/${INDEX}-${name}/_refresh`);
  const specs = specsOf(readObjects(ndjson(kibanaObjects({ storeIndex: `${INDEX}-${name}` }))));
  expect(specs).toHaveLength(12);
  const drawn: Record<string, readonly Readonly<Record<string, unknown>>[]> = {};
  for (const { title, spec } of specs.slice(8)) {
    const { url } = spec.data;
    // As Kibana adds them for %context%.
    const query = {
      bool: {
        filter: [{ range: { [url["%timefield%"]]: { gte: "2020-01-01", format: "strict_date_optional_time" } } }],
      },
    };
    const answer = await store.must("POST", `/${url.index}/_search`, { ...url.body, query });
    const { rows, svg } = await draw(spec, answer);
    expect(rows.length, title).toBeGreaterThan(0);
    expect(svg).toContain("<svg");
    drawn[title] = rows;
  }
  const figures = await figuresOf(join(folder, name));
  const close = (rows: readonly (readonly unknown[])[]) =>
    rows
      .map((row) => row.map((each) => (typeof each === "number" ? Number(each.toPrecision(9)) : each)))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  const errors = drawn["Global squared error"] ?? [];
  expect(close(errors.map((row) => [row.key, row.what, row.value]))).toEqual(close(figures.errors));
  const parts = drawn["Error against offset"] ?? [];
  expect(close(parts.map((row) => [row.topic, row.offset, row.what, row.error]))).toEqual(close(figures.parts));
  const points = drawn["Points and predictions"] ?? [];
  expect(close(points.map((row) => [row.topic, row.x1, row.what, row.value]))).toEqual(close(figures.points));
  const aside = drawn["Set aside"] ?? [];
  expect(close(aside.map((row) => [row.topic, row.reason, row.doc_count]))).toEqual(close(figures.aside));
}, 300_000);
