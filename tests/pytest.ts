/** Tests that are in Python, of the steps and of what runs them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { quickJava } from "./spark/quick-java.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs pytest on files and folders of this project; `needs` is what its tests need beside Python. */
export async function pytest(paths: readonly string[], needs: Readonly<Record<string, string>> = {}): Promise<void> {
  const env = { ...process.env, ...quickJava(), ...needs };
  const child = spawn(".oneoff/venv/bin/python", ["-m", "pytest", ...paths], { cwd: root, env });
  const [printed, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  console.log(printed.trimEnd());
  expect(code, printed + errors).toBe(0);
  expect(printed).toMatch(/\d+ passed/);
  if (process.env.CI) expect(printed, "in CI no test may be left out").not.toMatch(/\d+ skipped/);
}

/** As before: a folder has minutes of Spark in it. */
export const PYTEST_MS = 1_200_000;
