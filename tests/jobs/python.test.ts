/** The tests that are in Python, of the steps and of what runs them: pytest runs each folder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { storageServer } from "../google/storage.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** pytest on one folder, with what its tests find beside Python. */
async function passes(folder: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const env = { ...process.env, ...more };
  const pytest = spawn(".oneoff/venv/bin/python", ["-m", "pytest", folder], { cwd: root, env });
  const [printed, errors, [code]] = await Promise.all([
    text(pytest.stdout),
    text(pytest.stderr),
    once(pytest, "close"),
  ]);
  console.log(printed.trimEnd());
  expect(code, printed + errors).toBe(0);
  expect(printed).toMatch(/\d+ passed/);
}

const LIMIT_MS = 1_200_000;

test.each(["tests/jobs", "tests/steps", "tests/emr"])("pytest passes in %s", (folder) => passes(folder), LIMIT_MS);

test("pytest passes in tests/dataproc", { tags: ["go"], timeout: LIMIT_MS }, async () => {
  await passes("tests/dataproc", { ONEOFF_FAKE_GCS: await storageServer() });
});

test("pytest passes in tests/swarm", () => passes("tests/swarm"), LIMIT_MS);
