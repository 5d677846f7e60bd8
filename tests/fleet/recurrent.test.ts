/** The recurrent network of job nids learns for real, in processes of which one is killed: PyTorch and CUDA are gigabytes. */
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { venv } from "../bench/venv.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("a network learns in processes of which one is killed, and its file is all that is needed", () => {
  const ours = join(root, ".oneoff/venv/bin");
  const python = venv("torch-venv", join(root, "assets/jobs/nids/torch/requirements.txt"));
  const where = spawnSync(python, ["-c", "import site; print(site.getsitepackages()[0])"], { encoding: "utf8" });
  const paths = join(where.stdout.trim(), "ours.pth");
  // What set-up made, PySpark among it, is there too.
  const site = spawnSync(join(ours, "python"), ["-c", "import site; print(site.getsitepackages()[0])"], {
    encoding: "utf8",
  });
  if (!existsSync(paths)) appendFileSync(paths, site.stdout);
  const env = { ...process.env, PATH: [ours, process.env.PATH].join(delimiter) };
  const { status, stdout, stderr } = spawnSync(python, ["-m", "pytest", "tests/torch"], {
    cwd: root,
    env,
    encoding: "utf8",
  });
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toMatch(/5 passed/);
}, 1_800_000);
