// The steps of set-up, in the order in which they are made.
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { delimiter, dirname, join } from "node:path";
import * as find from "./find.mjs";
import { CLI, executable, MODULES, NODE, onPath, PULUMI, probe, ROOT, STATE, VENV, VERSIONS } from "./find.mjs";
import { Failure, run } from "./process.mjs";

/**
 * `ready` says what is there, or nothing when `make` has to make it, or throws a Failure when only the user can; `space`
 * is in gigabytes, beside the lock. Checkouts share the CLI, hence its own lock. Where there is no checkout but the
 * published package, the rest is npm's business.
 */
export function steps() {
  const finds = [
    { name: "Java", ready: java },
    { name: "Python", ready: () => `${python().version}, ${python().path}` },
  ];
  const lock = join(STATE, "setup.lock");
  const cliLock = join(VERSIONS, `${PULUMI}.lock`);
  const pyspark = { name: "PySpark", lock, ready: venv, make: makeVenv, takes: "pip install, 500 MB, a minute or two" };
  const makes = [
    {
      name: "npm packages",
      lock,
      ready: packages,
      make: makePackages,
      takes: "npm ci, about half a minute",
      space: 0.7,
    },
    {
      name: "Pulumi CLI",
      lock: cliLock,
      ready: cli,
      make: makeCli,
      takes: `downloading ${PULUMI}, about 100 MB`,
      space: 0.5,
    },
    { name: "Node language host", lock: cliLock, ready: host, make: makeHost },
    { name: "PySpark", lock, ready: venv, make: makeVenv, takes: "pip install, 500 MB, a minute or two", space: 1.5 },
    { name: "dashboard page", lock, ready: page, make: makePage },
    { name: "bundles", lock, ready: bundles, make: makeBundles },
    { name: "test tools", lock, ready: testTools, make: makeTestTools, takes: "pip install", space: 0.2, tests: true },
    {
      name: "Chromium",
      lock,
      ready: chromium,
      make: makeChromium,
      takes: "looking for one, else installing it",
      tests: true,
    },
    { name: "Docker engine", lock, ready: dockerEngine, make: makeDockerEngine, takes: "apt-get install", tests: true },
  ];
  if (find.CHECKOUT) return [...finds, ...makes];
  const given = process.env.ONEOFF_PYTHON; // then .oneoff/venv is not what runs use
  const found = given ? { name: "PySpark", ready: () => givenPython(given) } : pyspark;
  return [...finds, found, { name: "Pulumi CLI", ready: ownCli }];
}

function givenPython(path) {
  if (executable(path)) return `ONEOFF_PYTHON is ${path}`;
  throw new Failure(`ONEOFF_PYTHON is ${path}, which is no program`, "give a Python with PySpark, or unset it");
}

/** Beside the package it is a dependency of the project, or installed on the machine. Its version is the user's. */
function ownCli() {
  const folders = [join(MODULES, ".bin"), ...(process.env.PATH || "").split(delimiter)];
  const path = folders.map((folder) => executable(join(folder, "pulumi"))).find(Boolean);
  if (path) return path;
  throw new Failure("Pulumi was not found", "npm install pulumi, which fetches it when it is first used");
}

/** Java for Spark, from JAVA_HOME where that is set, as Spark does it. */
function java() {
  const cure =
    "install it with: sudo apt-get install openjdk-17-jre-headless (Debian, Ubuntu) or brew install openjdk@17 (macOS), or set JAVA_HOME";
  const home = process.env.JAVA_HOME;
  const path = home ? executable(join(home, "bin/java")) : onPath("java");
  const where = home ? ` (JAVA_HOME is ${home})` : "";
  const found = path && /version "(?:1\.)?((\d+)[^"]*)"/.exec(probe(path, ["-version"]));
  if (!found) throw new Failure(`Java 17 or newer was not found${where}`, cure);
  const [, version, major] = found;
  if (Number(major) < 17) throw new Failure(`Java 17 or newer is needed and ${path} is ${version}${where}`, cure);
  return Number(major) > 21 ? `${version}, untested: Spark 3.5 is made for 17 and 21` : `${version}, ${path}`;
}

/** The first Python that will do; 3.11 first, since the requirements are pinned for it. */
function python() {
  const cure =
    "install it with: sudo apt-get install python3 python3-venv (Debian, Ubuntu) or brew install python@3.11 (macOS)";
  const script = "import sys; print('%d.%d.%d' % sys.version_info[:3]); import venv, ensurepip; print('venv')";
  const unfit = [];
  for (const name of ["python3.11", "python3", "python3.12", "python3.13", "python3.10", "python"]) {
    const path = onPath(name);
    const [version, has] = path ? probe(path, ["-c", script]).split("\n") : [];
    const numbers = /^(\d+)\.(\d+)\./.exec(version);
    if (!numbers) continue;
    if (Number(numbers[1]) < 3 || Number(numbers[2]) < 10) unfit.push(`${path} is ${version}`);
    else if (has !== "venv") unfit.push(`${path} is without its module venv`);
    else return { path, version };
  }
  if (unfit.length === 0) throw new Failure("Python 3.10 or newer was not found", cure);
  throw new Failure(`Python 3.10 or newer with venv is needed and ${unfit.join(", ")}`, cure);
}

/** npm writes node_modules/.package-lock.json last: what it lists is what is installed. */
function packages() {
  const locked = find.readJson(join(ROOT, "package-lock.json")).packages;
  const installed = find.readJson(join(MODULES, ".package-lock.json"))?.packages;
  if (!installed) return;
  const fits = ([path, { version, os, cpu }]) =>
    locked[path]?.version === version && suits(os, process.platform) && suits(cpu, process.arch);
  const isThere = ([path, { optional }]) => path === "" || optional || path in installed;
  if (!Object.entries(installed).every(fits) || !Object.entries(locked).every(isThere)) return;
  if (!executable(NODE)) {
    throw new Failure(
      "npm left out the install script that brings Node 24 (ignore-scripts is set in your npm settings)",
      "npm rebuild node --ignore-scripts=false",
    );
  }
  if (fs.existsSync(join(MODULES, ".bin/oneoff"))) return `${Object.keys(installed).length} packages`;
}

/** npm's lists of systems may also say which it is not. */
const suits = (list = [], value) =>
  list.includes(value) || list.every((item) => item.startsWith("!") && item !== `!${value}`);

async function makePackages() {
  const link = () => {
    fs.mkdirSync(join(MODULES, ".bin"), { recursive: true });
    fs.rmSync(join(MODULES, ".bin/oneoff"), { force: true });
    fs.symlinkSync("../../cli/oneoff.mjs", join(MODULES, ".bin/oneoff")); // for `npx --no oneoff` in the checkout
  };
  link();
  if (packages() !== undefined) return; // there was only no link
  await execute("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]);
  link();
}

function cli() {
  const path = executable(join(CLI, "pulumi"));
  if (path && probe(path, ["version"]).trim().replace(/^v/, "") === PULUMI) return PULUMI;
}

/** The official download, else a build from Pulumi's Go module; moved to its place when it is whole. */
async function makeCli() {
  const fresh = join(dirname(CLI), ".new");
  fs.rmSync(fresh, { recursive: true, force: true });
  fs.mkdirSync(join(fresh, "bin"), { recursive: true });
  try {
    await downloadCli(fresh);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const go = onPath("go");
    const version = go && /go1\.(\d+)\S*/.exec(probe(go, ["version"]));
    if (!version || Number(version[1]) < 21) {
      throw new Failure(
        `Pulumi CLI ${PULUMI} could not be downloaded from https://get.pulumi.com, nor built with ${version ? version[0] : "no Go"}`,
        "allow that address, or install Go 1.21 or newer (https://go.dev/doc/install) and run this again",
      );
    }
    console.log("    it can't be downloaded: building it with Go, 5 to 10 minutes, once");
    const variable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";
    const flags = ["-trimpath", "-ldflags", `-s -w -X ${variable}=${PULUMI}`, "-o", join(fresh, "bin/pulumi")];
    const source = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";
    await execute(go, ["build", ...flags, source], { cwd: join(ROOT, "engine") });
  }
  fs.rmSync(CLI, { recursive: true, force: true });
  fs.renameSync(join(fresh, "bin"), CLI);
  fs.rmSync(fresh, { recursive: true });
}

/** Pulumi's own installer, but with limits: an address that can't be reached must not hold up the build. */
async function downloadCli(folder) {
  const script = `
    const { installCLI } = require(process.argv[1]);
    const fetchText = async (url) => {
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      if (!response.ok) throw new Error(response.status + " from " + url);
      return response.text();
    };
    installCLI(process.argv[2], process.argv[3], { fetchText }).catch((error) => {
      console.error(error.message, error.cause?.message ?? "");
      process.exit(1);
    });`;
  const env = { ...process.env, NODE_USE_ENV_PROXY: "1" };
  await execute(NODE, ["-e", script, join(MODULES, "pulumi/lib/download.js"), PULUMI, folder], { minutes: 10, env });
}

/** What a built CLI gets for a language host: ours, and what starts it. */
const hostFiles = () => ({
  "pulumi-language-nodejs.mjs": fs.readFileSync(join(ROOT, "engine/language-host.mjs"), "utf8"),
  "pulumi-language-nodejs": `#!/bin/sh\nexec node "$(dirname "$0")/pulumi-language-nodejs.mjs" "$@"\n`,
});

function host() {
  const official = join(CLI, "pulumi-language-nodejs");
  if (executable(official) && fs.statSync(official).size > 1_000_000) return "of the download";
  if (Object.entries(hostFiles()).every(([name, text]) => find.readText(join(CLI, name)) === text))
    return "of this project";
}

function makeHost() {
  for (const [name, text] of Object.entries(hostFiles())) find.replaceFile(join(CLI, name), text, 0o755);
}

/** A venv has its own path in it, so it is built in place, and its stamp is written last. */
const venvStamp = () =>
  createHash("sha256")
    .update(`${VENV}\n${python().version}\n`)
    .update(fs.readFileSync(find.REQUIREMENTS))
    .digest("hex");

function venv() {
  if (!executable(join(VENV, "bin/python")) || find.readText(join(VENV, "stamp")) !== venvStamp()) return;
  return /^pyspark==(\S+)/m.exec(fs.readFileSync(find.REQUIREMENTS, "utf8"))?.[1] ?? "";
}

async function makeVenv() {
  fs.rmSync(VENV, { recursive: true, force: true });
  await execute(python().path, ["-m", "venv", VENV]);
  await pipInstall(find.REQUIREMENTS);
  find.replaceFile(join(VENV, "stamp"), venvStamp());
}

function pipInstall(requirements) {
  const quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar=off"];
  return execute(join(VENV, "bin/python"), ["-m", "pip", "install", ...quiet, "--require-hashes", "-r", requirements]);
}

/** They go into the same venv, because they import what is in there; their stamp goes with it. */
const testRequirements = join(ROOT, "tests/requirements.txt");
const testStamp = () => createHash("sha256").update(fs.readFileSync(testRequirements)).digest("hex");

function testTools() {
  if (find.readText(join(VENV, "tests-stamp")) === testStamp()) return "pytest, ruff, moto";
}

async function makeTestTools() {
  fs.rmSync(join(VENV, "tests-stamp"), { force: true }); // an upgrade that fails may leave neither the old nor the new
  await pipInstall(testRequirements);
  find.replaceFile(join(VENV, "tests-stamp"), testStamp());
}

/**
 * Sizes and times of what is built: enough to see that nothing changed without starting the build. A folder's own time
 * is left out, since a __pycache__ in it changes that.
 */
function sourceStamp(...sources) {
  const inside = (path) => fs.readdirSync(path, { recursive: true }).map((name) => join(path, name));
  const stamps = sources
    .map((source) => join(ROOT, source))
    .flatMap((path) => (fs.statSync(path).isDirectory() ? inside(path) : path))
    .filter((path) => !path.includes("__pycache__"))
    .map((path) => ({ path, stat: fs.statSync(path, { throwIfNoEntry: false }) }))
    .filter(({ stat }) => stat?.isFile())
    .map(({ path, stat }) => `${path} ${stat.size} ${stat.mtimeMs}`);
  return createHash("sha256").update(stamps.sort().join("\n")).digest("hex");
}

const pageStamp = () => sourceStamp("assets/dashboard/page", "assets/dashboard/build.ts", "package-lock.json");

function page() {
  if (fs.existsSync(join(STATE, "page")) && find.recall("page") === pageStamp()) return "bundled";
}

async function makePage() {
  const stamp = pageStamp();
  await execute(NODE, [join(ROOT, "assets/dashboard/build.ts")]);
  find.remember("page", stamp);
}

/** What the functions and the dashboard's instance run: each a single file with all that it imports. */
const bundlesStamp = () => sourceStamp("assets", "clients", "core", "engine/bundles.ts", "package-lock.json");

/** A file of its own, since what is remembered is read once: whoever waited for another set-up must see its stamp. */
const bundlesStampFile = join(STATE, "bundles/stamp");

function bundles() {
  if (find.readText(bundlesStampFile) === bundlesStamp()) return "built";
}

async function makeBundles() {
  const stamp = bundlesStamp();
  fs.rmSync(bundlesStampFile, { force: true }); // a build that fails may leave some of the old and some of the new
  await execute(NODE, [join(ROOT, "engine/bundles.ts")]);
  find.replaceFile(bundlesStampFile, stamp);
}

const chromiumFile = join(STATE, "chromium"); // where the tests read which one to start

function chromium() {
  const given = process.env.ONEOFF_CHROMIUM;
  if (given && !executable(given))
    throw new Failure("ONEOFF_CHROMIUM is not a program that can be run", `it is ${given}`);
  const recorded = find.readText(chromiumFile);
  if (recorded && executable(recorded) && (!given || recorded === given)) return recorded;
}

async function makeChromium() {
  for (const source of chromiumSources()) {
    try {
      const path = await source();
      if (!path || !executable(path)) continue;
      await execute(path, ["--version"]); // one without its shared libraries is none
      return find.replaceFile(chromiumFile, path);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  }
  throw new Failure(
    "a Chromium for the tests of the page was not found and could not be installed",
    "install it with: sudo apt-get install chromium (Debian) or brew install --cask chromium (macOS), or set ONEOFF_CHROMIUM to one",
  );
}

function chromiumSources() {
  const playwright = join(MODULES, "playwright-core");
  const cached = async () => {
    const script = "console.log(require(process.argv[1]).chromium.executablePath())";
    return (await execute(NODE, ["-e", script, playwright])).trim();
  };
  return [
    () => process.env.ONEOFF_CHROMIUM,
    ...["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map((name) => () => onPath(name)),
    ...["Google Chrome", "Chromium"].map((name) => () => `/Applications/${name}.app/Contents/MacOS/${name}`),
    cached,
    async () => {
      const env = { ...process.env, PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: "5000" };
      await execute(NODE, [join(playwright, "cli.js"), "install", "chromium"], { minutes: 5, env });
      return cached();
    },
    async () => {
      if (process.getuid() !== 0 || !onPath("apt-get")) return;
      const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
      await execute("apt-get", ["update"], { env });
      await execute("apt-get", ["install", "-y", "--no-install-recommends", "chromium"], { env });
      return onPath("chromium");
    },
  ];
}

function execute(command, args, { env = process.env, ...options } = {}) {
  const path = find.outerPath.join(delimiter);
  return run(command, args, { cwd: ROOT, log: find.LOG, ...options, env: { ...env, PATH: path } });
}

const canInstall = () => process.getuid() === 0 && onPath("apt-get");

/** The tests of stack `swarm` start an engine of their own, where they may. */
function dockerEngine() {
  const missing = ["docker", "dockerd", "debootstrap", "iptables", "ip"].filter((program) => !onPath(program));
  if (missing.length === 0) return onPath("dockerd");
  if (!canInstall()) return `${missing.join(", ")} not there: a real Swarm is left out of the tests`;
}

async function makeDockerEngine() {
  // The tests' own engine is enough: none is started with the machine's.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  await execute("apt-get", ["update"], { env });
  const packages = ["docker.io", "debootstrap", "iptables", "iproute2"];
  await execute("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { env });
}
