/** Each cloud's SDK is loaded by who asks for that cloud, and by nobody else. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test.each([
  ["aws", /@aws-sdk/],
  ["gcp", /@google-cloud|google-auth-library|assets\/google/],
])("the SDK of %s is behind one door, and what is behind it can be bundled", async (cloud, sdk) => {
  const files = globSync("cli/**/*.ts", { cwd: ROOT });
  const text = (file: string) => readFileSync(join(ROOT, file), "utf8");
  expect(files.filter((file) => !file.startsWith(`cli/${cloud}/`) && sdk.test(text(file)))).toEqual([]);
  const inside = new RegExp(`(from|import\\()\\s*"\\./${cloud}/`);
  expect(files.filter((file) => inside.test(text(file)))).toEqual(["cli/cloud.ts"]);
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [`cli/${cloud}/index.ts`],
    bundle: true,
    platform: "node",
    format: "esm",
    write: false,
    metafile: true,
  });
  const own = Object.keys(metafile.inputs).filter((file) => !file.startsWith("node_modules/"));
  // Programs are found beside the module that lists them, so that one must not be moved into a bundle.
  expect(
    own.filter((file) => /^(stacks|engine\/(?!backend)|cli\/(main|pulumi|commands\/|local\/))/.test(file)),
  ).toEqual([]);
});
