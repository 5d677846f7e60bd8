import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const host = join(root, "engine/language-host.mjs");
const require = createRequire(import.meta.url);
// The CLI itself and not its launcher, which would put the host that this machine's CLI has first on PATH.
const cli = join(require("pulumi/lib/cache.js").cacheDir(require("pulumi/package.json").version), "bin/pulumi");
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "oneoff-host-"));
  fs.symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const name of ["bin", "state", "program"]) fs.mkdirSync(join(folder, name));
  write("bin/pulumi-language-nodejs", `#!/bin/sh\nexec node ${host} "$@"\n`);
  fs.chmodSync(join(folder, "bin/pulumi-language-nodejs"), 0o755);
  write("package.json", '{ "type": "module" }');
  project();
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const write = (path: string, text: string) => fs.writeFileSync(join(folder, path), text);

const project = (options = "", main = "program/main.ts") =>
  write(
    "Pulumi.yaml",
    `{ name: hosted, runtime: { name: nodejs, options: { typescript: false${options} } }, main: ${main} }`,
  );

const env = (): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: [join(folder, "bin"), join(root, "node_modules/.bin"), process.env.PATH].join(delimiter),
  PULUMI_BACKEND_URL: `file://${folder}/state`,
  PULUMI_CONFIG_PASSPHRASE: "",
  PULUMI_SKIP_UPDATE_CHECK: "true",
  PULUMI_OPTION_COLOR: "never",
  FORCE_COLOR: "1", // as many set it: nothing that is read may be coloured
  NO_COLOR: undefined,
  PULUMI_OPTION_NON_INTERACTIVE: "true",
});

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

function start(args: readonly string[]): {
  child: ChildProcess;
  outcome: Promise<Outcome>;
  said(text: string): Promise<void>;
} {
  // A group of its own, as a terminal gives it one: Ctrl-C goes to all of it.
  const child = spawn(cli, args, { cwd: folder, env: env(), detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const add = (data: Buffer) => {
    output += data;
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  const outcome = new Promise<Outcome>((resolve) => child.on("close", (code) => resolve({ code, output })));
  const said = (text: string) => expect.poll(() => output, { timeout: 15_000 }).toContain(text);
  return { child, outcome, said };
}

const pulumi = (...args: readonly string[]) => start(args).outcome;

/** The command lines of this test's program. */
function running(): string[] {
  const isLinux = process.platform === "linux";
  const lines = isLinux
    ? fs.readdirSync("/proc").map(commandLine)
    : execFileSync("ps", ["-axo", "args="], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line.includes(`${folder}/program`));
}

function commandLine(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // no process, or one that has ended
  }
}

test("a TypeScript program is previewed, run and destroyed with its config, options and output", async () => {
  project(", nodeargs: \"--title='two words' --conditions=oneoff\"");
  write(
    "program/main.ts",
    `import * as pulumi from "@pulumi/pulumi";
     const config = new pulumi.Config();
     console.log("a line of output");
     export const plain: string = config.require("plain");
     export const hidden = config.requireSecret("hidden");
     export const isSecretKey = pulumi.runtime.isConfigSecret("hosted:hidden");
     export const where = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack(), process.cwd()];
     export const args = process.execArgv;
     export const isPreview = pulumi.runtime.isDryRun();`,
  );
  await pulumi("stack", "init", "x");
  await pulumi("config", "set", "plain", "a value");
  await pulumi("config", "set", "--secret", "hidden", "a secret");

  const preview = await pulumi("preview", "--stack", "x");
  expect(preview.code, preview.output).toBe(0);
  expect(preview.output).toMatch(/isPreview *: true/);
  const up = await pulumi("up", "--yes", "--skip-preview", "--stack", "x");
  expect(up.code, up.output).toBe(0);
  expect(up.output).toContain("a line of output");

  const outputs = await pulumi("stack", "output", "--json", "--show-secrets", "--stack", "x");
  expect(JSON.parse(outputs.output)).toEqual({
    plain: "a value",
    hidden: "a secret",
    isSecretKey: true,
    where: ["organization", "hosted", "x", join(fs.realpathSync(folder), "program")],
    args: ["--title=two words", "--conditions=oneoff"],
    isPreview: false,
  });
  expect((await pulumi("stack", "output", "--json", "--stack", "x")).output).toContain('"hidden": "[secret]"');
  expect(await pulumi("destroy", "--yes", "--skip-preview", "--stack", "x")).toMatchObject({ code: 0 });
});

test("an error in the program is shown once, and an exit code of its own is named", async () => {
  await pulumi("stack", "init", "x");
  write("program/main.ts", 'throw new Error("went wrong here");');
  const thrown = await pulumi("preview", "--stack", "x");
  expect(thrown.code).not.toBe(0);
  const diagnostics = thrown.output.split("Diagnostics:")[1] ?? "";
  expect(diagnostics.match(/went wrong here/g)).toHaveLength(1);
  expect(diagnostics.match(/error:/g)).toHaveLength(1);

  write("program/main.ts", "process.exit(3);");
  expect((await pulumi("preview", "--stack", "x")).output).toContain("The program exited with code 3.");
  write("program/main.ts", 'process.kill(process.pid, "SIGKILL");');
  expect((await pulumi("preview", "--stack", "x")).output).toContain("The program was ended by SIGKILL.");
});

test("a Node that can't run TypeScript is named, without a stack trace", async () => {
  project(", nodeargs: --no-experimental-strip-types", "program/program.mjs");
  fs.copyFileSync(join(root, "engine/program.mjs"), join(folder, "program/program.mjs"));
  await pulumi("stack", "init", "x");
  const { code, output } = await pulumi("preview", "--stack", "x");
  expect(code).not.toBe(0);
  expect(output).toContain(
    `error: Node ${process.versions.node} (${fs.realpathSync(join(root, "node_modules/.bin/node"))}) cannot run TypeScript: Node 22.18 or newer is needed.`,
  );
  expect(output).not.toMatch(/program\.mjs:\d|node:internal/);
});

test("Ctrl-C cancels the update and leaves nothing running, nor does a CLI that is killed", async () => {
  write("program/main.ts", 'console.log("it runs"); await new Promise((done) => setTimeout(done, 60_000));');
  await pulumi("stack", "init", "x");
  const cancelled = start(["up", "--yes", "--skip-preview", "--stack", "x"]);
  await cancelled.said("it runs");
  expect(running()).toHaveLength(1);
  process.kill(-Number(cancelled.child.pid), "SIGINT");
  const { output } = await cancelled.outcome;
  expect(output).toContain("update canceled");
  expect(running()).toEqual([]);

  const killed = start(["up", "--yes", "--skip-preview", "--stack", "x"]);
  await killed.said("it runs");
  process.kill(-Number(killed.child.pid), "SIGKILL");
  await expect.poll(running, { timeout: 5000 }).toEqual([]);
});

test("a folder without @pulumi/pulumi gets a sentence", async () => {
  const child = spawn("node", [host, "127.0.0.1:1"], { cwd: tmpdir(), env: env() });
  let output = "";
  child.stderr.on("data", (data) => {
    output += data;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(output).toBe(
    `@pulumi/pulumi was not found in ${fs.realpathSync(tmpdir())} or above it: run npm install there.\n`,
  );
  expect(code).toBe(1);
});
