/** Builds the published package into dist/: compiled JavaScript with types, and the files that run elsewhere as they are. */
import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { carriedFiles } from "../assets/manifest.ts";
import { buildBundles, REQUIRE } from "./bundles.ts";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
const carried = [
  ...carriedFiles(process.cwd()),
  ...["provider/pulumi-resource-oneoff-local", "engine/requirements.txt"],
  ...globSync("engine/setup{.mjs,/**/*.mjs}"),
];
for (const file of carried) cpSync(file, `dist/${file}`);
// Where version 0.1.0 had the provider: projects name it there, and a run that is going on still starts what was beside it.
const before = "dist/assets/local";
mkdirSync(before, { recursive: true });
cpSync("assets/steps/guard.sh", join(before, "step.sh"));
cpSync("assets/driver/requirements.py", join(before, "requirements.py"));
const shim = `#!/bin/sh\nexec "$(dirname -- "$0")/../../provider/pulumi-resource-oneoff-local" "$@"\n`;
writeFileSync(join(before, "pulumi-resource-oneoff-local"), shim, { mode: 0o755 });
execFileSync(process.execPath, ["assets/dashboard/build.ts", "dist/assets/dashboard/page"], { stdio: "inherit" });
await buildBundles("dist/bundles");
/** Packages that are bundled, and what is ours of them. */
const SDK = /^(@aws-sdk\/|@google-cloud\/|google-auth-library$)/;
const CLIENTS = /\/clients\/(google|lake\/(s3|gcs))\.js$/;
/** Marks modules of ours by their absolute paths until it is known which file imports them. */
const OURS = "ours:";
const ABSOLUTE = new RegExp(`"${OURS}([^"]+)"`, "g");
await bundleSdk("dist/cli/aws");
await bundleSdk("dist/cli/gcp");

/**
 * Puts a cloud's SDK into the modules of the command line that need it, so that nobody has to install it: those of the
 * platform and of its kinds of clusters that are called index. What every command loads of them stays as it is.
 */
async function bundleSdk(folder: string): Promise<void> {
  const root = resolve(folder);
  const light = await loadedAtOnce(folder);
  const { outputFiles } = await build({
    entryPoints: globSync(`${folder}/**/index.js`),
    outdir: folder,
    bundle: true,
    splitting: true,
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
            return isBundled ? undefined : { path: `${OURS}${file}`, external: true };
          });
          onResolve({ filter: /^[^./]/ }, ({ path, importer }) =>
            importer.includes("node_modules") || SDK.test(path) ? undefined : { path, external: true },
          );
        },
      },
    ],
  });
  for (const file of globSync(`${folder}/**/*.{js,d.ts}`))
    if (!light.has(file.replace(/\.d\.ts$/, ".js"))) rmSync(file);
  for (const { path, text } of outputFiles) {
    writeFileSync(
      path,
      text.replace(ABSOLUTE, (_, file) => `"${relative(dirname(path), file)}"`),
    );
  }
}

/** Files of a folder that the list of kinds imports, and what they import in turn but when they are asked for it. */
async function loadedAtOnce(folder: string): Promise<ReadonlySet<string>> {
  const { metafile } = await build({
    entryPoints: globSync(`${folder}/**/{kind,platform}.js`),
    outdir: folder,
    bundle: true,
    format: "esm",
    write: false,
    metafile: true,
    plugins: [
      {
        name: "not what is asked for",
        setup: ({ onResolve }) => {
          onResolve({ filter: /.*/ }, ({ path, kind }) =>
            kind === "dynamic-import" || /^[^./]/.test(path) ? { path, external: true } : undefined,
          );
        },
      },
    ],
  });
  return new Set(Object.keys(metafile.inputs).filter((file) => file.startsWith(`${folder}/`)));
}
