// What there is on this machine, found out without starting anything that was asked before.
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = resolve(fileURLToPath(import.meta.url), "../../..");
/** Whether this is a checkout of the project, not the published package within another project. */
export const CHECKOUT = fs.existsSync(join(SOURCE, "package-lock.json"));
export const ROOT = CHECKOUT ? SOURCE : process.cwd();
export const REQUIREMENTS = join(SOURCE, "engine/requirements.txt");
export const STATE = join(ROOT, ".oneoff");
export const LOG = join(STATE, "setup.log");
export const MODULES = join(ROOT, "node_modules");
export const NODE = join(MODULES, "node/bin/node");
export const VENV = join(STATE, "venv");
export const PULUMI = readJson(join(SOURCE, "package.json"))?.devDependencies?.pulumi;
export const VERSIONS = join(process.env.PULUMI_HOME || join(homedir(), ".pulumi"), "versions");
export const CLI = join(VERSIONS, String(PULUMI), "bin");

/** PATH without what set-up itself makes: that may be old, or half of it. */
export const outerPath = (process.env.PATH || "")
  .split(delimiter)
  .filter((folder) => ![MODULES, STATE, CLI].some((own) => folder.startsWith(own)));

/** PATH for the user's command. The CLI itself comes before its launcher, which would leave it behind on Ctrl-C. */
export const commandPath = () => [CLI, join(MODULES, ".bin"), join(VENV, "bin"), ...outerPath];

export const onPath = (name) => outerPath.map((folder) => executable(join(folder, name))).find(Boolean);

/** The path itself when it can be run. */
export function executable(path) {
  try {
    fs.accessSync(path, fs.constants.X_OK);
    if (fs.statSync(path).isFile()) return path;
  } catch {}
}

const memoryFile = join(STATE, "setup.json");
const memory = readJson(memoryFile) || {};

export const recall = (key) => memory[key];

export function remember(key, value) {
  memory[key] = value;
  if (!process.argv.includes("--check")) replaceFile(memoryFile, JSON.stringify(memory, null, 1));
}

/** What a program prints when asked, remembered for as long as it is the same file. */
export function probe(path, args) {
  const { mtimeMs, size } = fs.statSync(path);
  const key = [path, ...args].join(" ");
  const stamp = `${fs.realpathSync(path)} ${mtimeMs} ${size}`;
  if (recall(key)?.stamp === stamp) return recall(key).said;
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  const { stdout, stderr, status } = spawnSync(path, args, { encoding: "utf8", timeout: 30_000, env });
  const said = `${stdout || ""}${stderr || ""}`;
  if (status === 0) remember(key, { stamp, said }); // what went wrong may be mended without a change of this file
  return said;
}

export function readText(path) {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {}
}

export function readJson(path) {
  try {
    return JSON.parse(fs.readFileSync(path, "utf8"));
  } catch {}
}

/** Writes a file so that nobody ever reads half of it. */
export function replaceFile(path, text, mode) {
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.writeFileSync(`${path}.${process.pid}`, text, { mode });
  fs.renameSync(`${path}.${process.pid}`, path);
}
