#!/usr/bin/env node
// `oneoff`: JavaScript in the published package, TypeScript in a checkout, where it may be asked for before there is anything.
// Plain JavaScript without dependencies, for any Node.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import * as module from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const words = process.argv.slice(2);

const BEFORE = `oneoff is not set up in this checkout yet.

  npm start     sets it up (some minutes, once), and runs a job on this machine:
                no account, no cost; -- --port 8801 chooses the dashboard's port
                and npx --no oneoff setup sets it up and runs nothing,
                npx --no oneoff doctor says what is missing
  npm ci        brings npm's packages alone (a minute or two): for npx --no oneoff help`;

if (existsSync(at("cli/main.ts"))) await fromCheckout();
else await load("dist/cli/main.js");

async function fromCheckout() {
  const own = at("node_modules/node/bin/node");
  if (!existsSync(at("node_modules/commander"))) return beforeSetUp();
  if (process.features.typescript) return load("cli/main.ts");
  if (existsSync(own)) return passOn(own, [at("cli/oneoff.mjs"), ...words]);
  process.stderr.write(
    `oneoff: Node ${process.version} (${process.execPath}) can't run TypeScript, which takes 22.18 or newer: "npm ci" brings one\n`,
  );
  process.exitCode = 2;
}

async function load(main) {
  const given = process.env.XDG_CACHE_HOME;
  const cache = join(given && isAbsolute(given) ? given : join(homedir(), ".cache"), "pulumi-oneoff", "node");
  if (!process.env.NODE_COMPILE_CACHE && isAbsolute(cache)) module.enableCompileCache?.(cache);
  await import(new URL(`../${main}`, import.meta.url));
}

function beforeSetUp() {
  const [word] = words.filter((word) => !word.startsWith("-"));
  if (word === "setup") return passOn(process.execPath, [at("engine/setup.mjs")]);
  if (word === "doctor") return passOn(process.execPath, [at("engine/setup.mjs"), "--check"]);
  if (words.some((word) => word === "--version" || word === "-V")) {
    return console.log(JSON.parse(readFileSync(at("package.json"), "utf8")).version);
  }
  const isAnswer = words.some((word) => ["--help", "-h", "help"].includes(word));
  if (isAnswer) console.log(BEFORE);
  else console.error(BEFORE);
  process.exitCode = isAnswer ? 0 : 2;
}

function passOn(program, args) {
  const { status, error } = spawnSync(program, args, { stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
}
