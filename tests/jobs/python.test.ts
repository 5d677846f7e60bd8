/** The tests that are in Python, of the steps and of what runs them: pytest runs each folder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

test.each(["tests/jobs", "tests/steps", "tests/emr", "tests/swarm"])(
  "pytest passes in %s",
  async (folder) => {
    const pytest = spawn(".oneoff/venv/bin/python", ["-m", "pytest", folder], { cwd: root });
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
