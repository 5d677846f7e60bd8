import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SHOWN_FILE, type ShownJob } from "../components/common/panels.ts";
import type { StackFiles } from "./config.ts";
import { programOf } from "./program.ts";
import { rehearse } from "./rehearse.ts";
import { rehearseOwn } from "./rehearse-own.ts";

/** The jobs that a stack's program would show, and by what: it is run without an engine, and makes nothing. */
export async function shownJobs(files: StackFiles): Promise<readonly ShownJob[]> {
  const folder = mkdtempSync(join(tmpdir(), "oneoff-shown-"));
  const file = join(folder, "jobs");
  writeFileSync(file, "");
  process.env[SHOWN_FILE] = file;
  try {
    // What a secret says makes no difference to what is shown.
    const config = { ...Object.fromEntries(files.secret.map((key) => [key, "secret"])), ...files.config };
    const told = { ...files, config };
    if (files.bundled) await rehearse(await programOf(files), told);
    else await rehearseOwn(told);
    const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
    return [...new Set(lines)].map((line) => JSON.parse(line) as ShownJob);
  } finally {
    delete process.env[SHOWN_FILE];
    rmSync(folder, { recursive: true, force: true });
  }
}
