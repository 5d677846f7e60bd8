import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { OpenSearch } from "./opensearch.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Holds an index's documents against the rows of a run's lake in a folder; returns how many there are, or what is wrong. */
export async function stored(store: OpenSearch, index: string, folder: string): Promise<string> {
  await store.must("POST", `/${index}/_refresh`);
  const { hits } = await store.must("POST", `/${index}/_search`, { size: 10_000 });
  const documents = Object.fromEntries(
    hits.hits.map((hit: { _id: string; _source: object }) => [hit._id, hit._source]),
  );
  expect(Object.keys(documents)).toHaveLength(hits.total.value);
  const input = JSON.stringify(documents);
  const words = [at("stored.py"), folder, "r1", "2"];
  const { stdout, stderr } = spawnSync(at("../../.oneoff/venv/bin/python"), words, { input, encoding: "utf8" });
  return stdout || stderr;
}
