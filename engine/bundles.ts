/** Bundles what runs in the cloud, each with all that it imports in one file: `node engine/bundles.ts [folder]`. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildPage } from "../assets/dashboard/build.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Entry points by the name of the bundle. `components/core/bundle.ts` finds them. */
const ENTRIES = {
  reaper: "assets/reaper/index.ts",
  launcher: "assets/launcher/index.ts",
  dashboard: "assets/dashboard/server.ts",
};

export async function buildBundles(folder: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.entries(ENTRIES).map(([out, source]) => ({ in: source, out: `${out}/index` })),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node22",
    format: "esm",
    mainFields: ["module", "main"], // what came as CommonJS could not be shaken
    // Pulumi's module brings all of gRPC along.
    alias: { "@pulumi/pulumi/errors.js": join(ROOT, "engine/run-error.ts") },
    // What came as CommonJS asks for Node's modules by `require`.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    external: ["./duckdb.ts"], // its package is native, and it is only loaded for lakes that are folders
    minify: true,
    legalComments: "none",
  });
  await buildPage(join(folder, "dashboard/page"));
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await buildBundles(resolve(process.argv[2] ?? join(ROOT, ".oneoff/bundles")));
}
