/** Bundles what runs in the cloud, each with all that it imports in one file: `node engine/bundles.ts [folder]`. */
import { cpSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { buildPage } from "../assets/dashboard/build.ts";
import { MANIFEST } from "../assets/manifest.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Entry points by the name of the bundle. `components/common/bundle.ts` finds them. */
const ENTRIES = Object.entries(MANIFEST).flatMap(([name, { entry }]) =>
  entry ? [{ in: `assets/${name}/${entry}`, out: `${name}/index` }] : [],
);

/** What came as CommonJS asks for Node's modules by `require`. */
export const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

const OPTIONS = {
  absWorkingDir: ROOT,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  target: "node22",
  format: "esm",
  mainFields: ["module", "main"], // what came as CommonJS could not be shaken
  banner: { js: REQUIRE },
  minify: true,
  legalComments: "none",
} as const satisfies BuildOptions;

export async function buildBundles(folder: string): Promise<void> {
  await build({
    ...OPTIONS,
    entryPoints: ENTRIES,
    outdir: folder,
    external: ["./engines/duckdb/engine.ts"], // its package is native, and it is only loaded for lakes that are folders
  });
  await buildPage(join(folder, "dashboard/page"));
  await buildImageContext(join(folder, "dashboard-image"), join(folder, "dashboard/page"));
}

/** What the dashboard's image is built from, and no more: its tag is a digest of all that. DuckDB is installed into it. */
async function buildImageContext(folder: string, page: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const isNeeded = (path: string) => !/\.in$|built-from\.txt$/.test(path);
  cpSync(join(ROOT, "assets/images/dashboard"), folder, { recursive: true, filter: isNeeded });
  cpSync(page, join(folder, "page"), { recursive: true, filter: isNeeded });
  await build({
    ...OPTIONS,
    entryPoints: ENTRIES.filter(({ out }) => out === "dashboard/index").map((entry) => ({ ...entry, out: "index" })),
    outdir: folder,
    external: ["./engines/athena/engine.ts", "./engines/bigquery/engine.ts", "@duckdb/node-api"], // its lakes are folders
  });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await buildBundles(resolve(process.argv[2] ?? join(ROOT, ".oneoff/bundles")));
}
