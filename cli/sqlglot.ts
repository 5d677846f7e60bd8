import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Problem } from "../assets/dashboard/panels/problem.ts";
import type { Panel } from "../core/panel.ts";
import { fill } from "../core/placeholders.ts";
import type { SqlEngine } from "../core/sql-engine.ts";
import { projectFolder } from "../engine/backend.ts";

const SCRIPT = join(import.meta.dirname, "../assets/dashboard/panels/parse.py");

/** Panels that Athena or BigQuery would parse otherwise than DuckDB; undefined where there is no sqlglot to tell. */
export async function otherwiseRead(
  panels: readonly Pick<Panel, "name" | "sql">[],
  python = resolve(projectFolder(), process.env.ONEOFF_PYTHON ?? ".oneoff/venv/bin/python"),
): Promise<readonly Problem[] | undefined> {
  if (!existsSync(python)) return undefined;
  const sql = Object.fromEntries(panels.map((panel) => [panel.name, fill(panel.sql, (table) => table)]));
  const said = await new Promise<string | undefined>((resolve, reject) => {
    const child = execFile(python, [SCRIPT], (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else if (/No module named '?sqlglot/.test(stderr)) resolve(undefined);
      else reject(error);
    });
    child.stdin?.on("error", () => undefined).end(JSON.stringify(sql)); // what ends at once says why itself
  });
  if (said === undefined) return undefined;
  return (JSON.parse(said) as readonly (readonly [string, SqlEngine, string])[]).map(([panel, engine, what]) => ({
    panel,
    engines: [engine],
    what,
    cure: "keep to the SQL of docs/jobs.md",
  }));
}
