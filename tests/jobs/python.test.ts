/** The tests of the steps (tests/jobs) and of what runs on nodes (tests/emr), which are in Python: pytest runs them. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("pytest passes", () => {
  const { status, stdout, stderr } = spawnSync(".oneoff/venv/bin/python", ["-m", "pytest"], {
    cwd: root,
    encoding: "utf8",
  });
  console.log(stdout.trimEnd());
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toMatch(/\d+ passed/);
}, 600_000);
