/** Builds the published package into dist/: compiled JavaScript with types, and the files that run elsewhere as they are. */
import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { carriedFiles } from "../assets/manifest.ts";
import { buildBundles, REQUIRE } from "./bundles.ts";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
const carried = [
  ...carriedFiles(process.cwd()),
  ...["provider/pulumi-resource-oneoff-local", "provider/step.sh", "engine/requirements.txt"],
  ...globSync("engine/setup{.mjs,/**/*.mjs}"),
];
for (const file of carried) cpSync(file, `dist/${file}`);
// Where version 0.1.0 had the provider: projects name it there, and a run that is going on still starts what was beside it.
const before = "dist/assets/local";
mkdirSync(before, { recursive: true });
for (const file of ["provider/step.sh", "assets/driver/requirements.py"]) cpSync(file, join(before, basename(file)));
const shim = `#!/bin/sh\nexec "$(dirname -- "$0")/../../provider/pulumi-resource-oneoff-local" "$@"\n`;
writeFileSync(join(before, "pulumi-resource-oneoff-local"), shim, { mode: 0o755 });
execFileSync(process.execPath, ["assets/dashboard/build.ts", "dist/assets/dashboard/page"], { stdio: "inherit" });
await buildBundles("dist/bundles");
/** Packages that are bundled, and what is ours of them. */
const SDK = /^(@aws-sdk\/|@google-cloud\/|google-auth-library$)/;
const CLIENTS = /\/clients\/(google|lake\/(s3|gcs))\.js$/;
await bundleSdk("dist/cli/aws");
await bundleSdk("dist/cli/gcp");

/** Puts a cloud's SDK into the one module of the command line that needs it, so that nobody has to install it. */
async function bundleSdk(folder: string): Promise<void> {
  const root = resolve(folder);
  const { outputFiles } = await build({
    entryPoints: [`${folder}/index.js`],
    bundle: true,
    platform: "node",
    target: "node22",
    format: "esm",
    mainFields: ["module", "main"],
    minify: true,
    legalComments: "none",
    banner: { js: REQUIRE },
    write: false,
    plugins: [
      {
        name: "the SDK alone",
        setup({ onResolve }) {
          // What else the package has stays one module for all, or errors would have two classes.
          onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
            const file = join(resolveDir, path);
            const isBundled = file.includes("node_modules") || file.startsWith(`${root}/`) || CLIENTS.test(file);
            return isBundled ? undefined : { path: relative(root, file), external: true };
          });
          onResolve({ filter: /^[^./]/ }, ({ path, importer }) =>
            importer.includes("node_modules") || SDK.test(path) ? undefined : { path, external: true },
          );
        },
      },
    ],
  });
  for (const file of globSync(`${folder}/**/*.{js,d.ts}`)) rmSync(file);
  writeFileSync(`${folder}/index.js`, (outputFiles[0] as (typeof outputFiles)[number]).contents);
}
