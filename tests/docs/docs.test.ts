import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { pages, readPage, regenerated } from "./generated.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test.each(pages())("the generated parts of %s are as the code says (else: npm run docs)", async (page) => {
  expect(readPage(page)).toBe(await regenerated(page));
});

test("every TypeScript fence compiles against the library", () => {
  const fences = pages().flatMap((page) =>
    [...readPage(page).matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match, index) => ({
      page,
      index,
      text: match[1] as string,
    })),
  );
  expect(fences.length).toBeGreaterThan(1);
  mkdirSync(join(root, ".oneoff"), { recursive: true });
  const folder = mkdtempSync(join(root, ".oneoff", "fences-"));
  try {
    for (const { page, index, text } of fences)
      writeFileSync(join(folder, `${page.replaceAll("/", "-")}-${index}.ts`), text);
    const sources = (name: string) => [join(root, name)];
    const options = {
      ...{ strict: true, module: "nodenext", target: "es2023", types: ["node"], noEmit: true, skipLibCheck: true },
      ...{ allowImportingTsExtensions: true, erasableSyntaxOnly: true },
      paths: {
        "pulumi-oneoff": sources("components/index.ts"),
        "pulumi-oneoff/aws": sources("components/aws/index.ts"),
        "pulumi-oneoff/docker": sources("components/docker/index.ts"),
        "pulumi-oneoff/gcp": sources("components/gcp/index.ts"),
        "pulumi-oneoff/local": sources("components/local/index.ts"),
        "pulumi-oneoff/jobs": sources("assets/jobs/index.ts"),
      },
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["*.ts"] }));
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    try {
      execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
    } catch (error) {
      throw new Error((error as { stdout: string }).stdout);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);

test("every link to a file leads to one", () => {
  for (const page of pages()) {
    for (const [, target] of readPage(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
      expect(existsSync(join(root, dirname(page), target as string)), `${page} links to ${target}`).toBe(true);
    }
  }
});

test("every link to a heading leads to one", () => {
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-");
  let links = 0;
  for (const page of pages()) {
    for (const [, file, anchor] of readPage(page).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)) {
      const target = file ? join(dirname(page), file) : page;
      const headings = [...readPage(target).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading as string));
      expect(headings, `${page} links to ${target}#${anchor}`).toContain(anchor);
      links += 1;
    }
  }
  expect(links).toBeGreaterThan(0);
});

test("the messages under Troubleshooting are ones that the code has", () => {
  const sources = globSync(
    ["{assets,cli,clients,components,core,engine,provider,stacks}/**/*.{ts,mjs,py,sh}", "index.ts"],
    { cwd: root },
  )
    .map(readPage)
    .join("\n");
  const section = /\n## Troubleshooting\n([\s\S]*?)\n## /.exec(readPage("docs/emr-oneoff.md"))?.[1] as string;
  const said = [...section.matchAll(/^\| ([^|]*`[^|]*) \|/gm)].flatMap(([, cell]) =>
    [...(cell as string).matchAll(/`([^`]*)`/g)].map(([, message]) => message as string),
  );
  // What a message fills in is left out: numbers, quoted values, settings, codes and architectures.
  const parts = (message: string) =>
    message
      .split(/\.\.\.|"[^"]*"|\([A-Z_]+\)|\barm64\b|\b[\d.]+ (?:USD|min)\b|\boneoff:\w+|\b\d+\b|Dashboard|has no wheel/)
      .map((part) => part.trim())
      .filter((part) => part.length > 8);
  expect(said.length).toBeGreaterThan(12);
  for (const message of said) {
    for (const part of parts(message)) expect(sources.includes(part), `${message}: ${part}`).toBe(true);
  }
});
