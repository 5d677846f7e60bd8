import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
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
        "pulumi-oneoff/local": sources("components/local.ts"),
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
