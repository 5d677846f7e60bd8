/** The project that docs/local.md tells to make, and what it tells to type there, with the package as it is installed. */
import { execFile } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { quickJava } from "../spark/quick-java.ts";
import { readPage } from "./generated.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const [, SECTION = ""] = /\n## In your own program\n([\s\S]*?)\n## /.exec(readPage("docs/local.md")) ?? [];

/** Lines that the page tells to type, without what is said of them. */
export const LINES: readonly string[] = [...SECTION.matchAll(/^ {4}(.*?)(?: {2,}#.*)?$/gm)].map(
  ([, line]) => line as string,
);

const fence = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(SECTION)?.[1] as string;

interface Typed {
  readonly code: number;
  readonly printed: string;
}

export interface OwnProgram {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** Writes the page's program, and what makes it a module of that kind. @param change of its text */
  write(language: "ts" | "js", change?: (program: string) => string): void;
  /** Types the line of the page that begins so, with more at its end. */
  type(beginning: string, more?: string): Promise<Typed>;
}

/**
 * @param modules the folder node_modules.
 * @param port of the dashboard, in the place of the page's.
 */
export function ownProgram(folder: string, modules: string, port: number): OwnProgram {
  mkdirSync(folder);
  symlinkSync(modules, join(folder, "node_modules"));
  // A job that takes seconds, in the place of the page's.
  cpSync(join(root, "tests/upgrade/project/words.ts"), join(folder, "words.mts"));
  cpSync(join(root, "tests/upgrade/project/count.py"), join(folder, "count.py"));
  const browser = join(folder, "browser");
  writeFileSync(browser, `#!/bin/sh\necho "$1" >'${join(folder, "opened")}'\n`);
  chmodSync(browser, 0o755);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...quickJava(),
    PATH: [join(modules, ".bin"), process.env.PATH].join(delimiter),
    PULUMI_BACKEND_URL: undefined,
    PULUMI_ACCESS_TOKEN: undefined,
    PULUMI_CONFIG_PASSPHRASE: undefined,
    PULUMI_CREDENTIALS_PATH: folder, // nobody is logged in
    PULUMI_SKIP_UPDATE_CHECK: "true",
    ONEOFF_PYTHON: join(root, ".oneoff/venv/bin/python"),
    BROWSER: browser,
    NO_COLOR: "1",
  };
  const program = (language: string) =>
    fence(language)
      .replace("{ xo }", "{ words }")
      .replace("pulumi-oneoff/jobs", "./words.mts")
      .replace(/xo\(.*\)/, "words")
      .replace("8766", String(port));
  return {
    folder,
    env,
    write(language, change = (text) => text) {
      const type = language === "ts" ? "module" : "commonjs";
      writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "mine", type }));
      writeFileSync(join(folder, "Pulumi.yaml"), fence("yaml").replace("index.ts", `index.${language}`));
      writeFileSync(join(folder, `index.${language}`), change(program(language)));
    },
    type: (beginning, more = "") =>
      new Promise((resolve) => {
        const line = LINES.find((line) => line.startsWith(beginning)) as string;
        const script = `npx() { [ "$1" = --no ] && shift; "$@"; }\n${line.replace("get models", "get words")}${more}`;
        const child = execFile("bash", ["-ec", script], { cwd: folder, env }, (_, out, err) =>
          resolve({ code: child.exitCode ?? -1, printed: out + err }),
        );
      }),
  };
}
