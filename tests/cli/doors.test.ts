/** Each cloud's SDK is loaded by who asks for that cloud, and by nobody else; each kind of cluster is named in one place. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { describe, expect, test } from "vitest";
import { kinds } from "../../cli/registry.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FILES = globSync("cli/**/*.{ts,mjs}", { cwd: ROOT }).sort();
const text = (file: string) => readFileSync(join(ROOT, file), "utf8");

const atOnce: Plugin = {
  name: "not what is asked for",
  setup: ({ onResolve }) =>
    onResolve({ filter: /.*/ }, ({ path, kind }) => (kind === "dynamic-import" ? { path, external: true } : undefined)),
};
const inputsOf = async (entries: readonly string[], plugins: Plugin[] = []) => {
  const options = { bundle: true, platform: "node", format: "esm", write: false, metafile: true } as const;
  const { metafile } = await build({
    ...options,
    ...{ absWorkingDir: ROOT, entryPoints: [...entries], outdir: "x", splitting: true, plugins },
  });
  return Object.keys(metafile.inputs);
};

describe.each([
  ["aws", /@aws-sdk/],
  ["gcp", /@google-cloud|google-auth-library|clients\/(google|lake\/gcs)/],
])("the SDK of %s", (cloud, sdk) => {
  test("is behind doors, to which the list of kinds alone leads", async () => {
    expect(FILES.filter((file) => !file.startsWith(`cli/${cloud}/`) && sdk.test(text(file)))).toEqual([]);
    const inside = new RegExp(`(from|import\\()\\s*"\\./${cloud}/`);
    expect(FILES.filter((file) => inside.test(text(file)))).toEqual(["cli/kinds.ts"]);
    const light = await inputsOf(["cli/kinds.ts"], [atOnce]);
    expect(light).toContain(`cli/${cloud}/platform.ts`);
    expect(light.filter((file) => /@aws-sdk|@google-cloud|google-auth-library|@pulumi/.test(file))).toEqual([]);
  });

  test("can be bundled with what is behind them", async () => {
    const doors = FILES.filter((file) => file.startsWith(`cli/${cloud}/`) && file.endsWith("/index.ts"));
    expect(doors.length).toBeGreaterThan(1);
    const own = (await inputsOf(doors)).filter((file) => !file.startsWith("node_modules/"));
    // Programs are found beside the module that lists them, so that one must not be moved into a bundle.
    expect(
      own.filter((file) => /^(stacks|engine\/(?!backend)|cli\/(main|pulumi|registry|commands\/|local\/))/.test(file)),
    ).toEqual([]);
  });
});

/** Where a kind may be named, as a pattern of files, if that is not its own folder alone. */
const HOMES: Readonly<Record<string, RegExp>> = {
  // Docker itself calls its clusters swarms.
  swarm: /^cli\/docker\//,
  // "local" is also the name of the stack that commands take when none is given.
  local: /^cli\/(local\/|arguments\.ts)/,
};

test.each(kinds.map(({ name }) => name))("kind %s is named in its folder and in the list of kinds", (name) => {
  const home = HOMES[name] ?? new RegExp(`^cli/\\w+/${name}/`);
  const others = FILES.filter((file) => !home.test(file) && file !== "cli/kinds.ts");
  expect(FILES.some((file) => home.test(file))).toBe(true);
  // As a word, or as a part of a name.
  const forms = [name, name.charAt(0).toUpperCase() + name.slice(1), name.toUpperCase()];
  const named =
    name === "local" ? /["'`]local["'`]/ : new RegExp(forms.map((form) => `(?<![a-z])${form}(?![a-z])`).join("|"));
  const withoutStacks = (file: string) => text(file).replaceAll(/emr-oneoff|gpu-fleet-local/g, ""); // as examples have it
  expect(others.filter((file) => named.test(withoutStacks(file)))).toEqual([]);
});
