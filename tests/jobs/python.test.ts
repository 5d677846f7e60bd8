/** The tests that are in Python, of the steps and of what runs them: pytest runs each folder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { storageServer } from "../google/storage.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Each folder, and what its tests need beside Python. */
const folders: [string, () => Promise<Record<string, string>>][] = [
  ["tests/jobs", async () => ({})],
  ["tests/steps", async () => ({})],
  ["tests/emr", async () => ({})],
  ["tests/dataproc", async () => ({ ONEOFF_FAKE_GCS: await storageServer() })],
  ["tests/swarm", async () => ({})],
];

test.each(folders)(
  "pytest passes in %s",
  async (folder, needs) => {
    const env = { ...process.env, ...(await needs()) };
    const pytest = spawn(".oneoff/venv/bin/python", ["-m", "pytest", folder], { cwd: root, env });
    const [printed, errors, [code]] = await Promise.all([
      text(pytest.stdout),
      text(pytest.stderr),
      once(pytest, "close"),
    ]);
    console.log(printed.trimEnd());
    expect(code, printed + errors).toBe(0);
    expect(printed).toMatch(/\d+ passed/);
  },
  1_200_000,
);
