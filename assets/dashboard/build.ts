/** Builds the page: `node assets/dashboard/build.ts [folder]`. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, version } from "esbuild";

const SOURCE = join(import.meta.dirname, "page");
const COPIED = ["index.html", "style.css", "icon.svg"] as const;
/** Says of what the folder was built, so that the next build can see that there is nothing to do. */
const STAMP = "built-from.txt";

/** Where the server looks for the page of a checkout. */
export const DEFAULT_FOLDER = join(import.meta.dirname, "../../.oneoff/page");

/** @returns whether there was anything to do. */
export async function buildPage(folder: string = DEFAULT_FOLDER): Promise<boolean> {
  const stamp = await inputs();
  if ((await readFile(join(folder, STAMP), "utf8").catch(() => "")) === stamp) return false;
  await mkdir(folder, { recursive: true });
  const copies = COPIED.map(async (name) => ({ name, content: await readFile(join(SOURCE, name)) }));
  const files = [...(await bundle()), ...(await Promise.all(copies))];
  await Promise.all(files.map(({ name, content }) => put(join(folder, name), content)));
  await put(join(folder, STAMP), stamp);
  return true;
}

/** `page.js`, and `vega.js`, which is read while the page already waits for its rows. */
const bundle = () =>
  Promise.all(
    ["page", "vega"].map(async (name) => {
      const { outputFiles } = await build({
        entryPoints: [join(SOURCE, `${name}.ts`)],
        bundle: true,
        external: ["./vega.js"],
        format: "esm",
        target: "es2022",
        minify: true,
        legalComments: "none",
        write: false,
      });
      return { name: `${name}.js`, content: (outputFiles[0] as (typeof outputFiles)[number]).contents };
    }),
  );

/** Digest of all that the bundle is made of. Packages only change with the lock file of what is installed. */
async function inputs(): Promise<string> {
  const sources = (await readdir(SOURCE)).sort().map((name) => join(SOURCE, name));
  const installed = join(import.meta.dirname, "../../node_modules/.package-lock.json");
  const hash = createHash("sha256").update(version);
  for (const file of [import.meta.filename, ...sources, installed]) hash.update(file).update(await readFile(file));
  return hash.digest("hex");
}

/** Put in place at once: a page that is being served, or built by another process, is never half a page. */
async function put(path: string, content: Uint8Array | string): Promise<void> {
  const half = `${path}.${process.pid}`;
  await writeFile(half, content);
  await rename(half, path);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await buildPage(process.argv[2] === undefined ? undefined : resolve(process.argv[2]));
}
