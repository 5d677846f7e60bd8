import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A checkout with what set-up reads of it, on a machine that has nothing but stubs on PATH. */
class Checkout {
  readonly folder = fs.mkdtempSync(join(tmpdir(), "oneoff-setup-"));
  readonly bin = join(this.folder, "bin");
  readonly cli = join(this.folder, "pulumi/versions/3.250.0/bin");

  constructor(...programs: readonly string[]) {
    folders.push(this.folder);
    for (const name of ["setup.mjs", "setup", "language-host.mjs"]) {
      fs.cpSync(join(root, "engine", name), join(this.folder, "engine", name), { recursive: true });
    }
    this.write("engine/requirements.txt", "pyspark==3.5.7\n");
    this.write("package.json", '{ "devDependencies": { "pulumi": "3.250.0" } }');
    this.lock("1.0.0");
    this.write("cli/oneoff.mjs", "");
    this.write("assets/dashboard/page/index.html", "");
    this.write(
      "assets/dashboard/build.ts",
      'import fs from "node:fs"; fs.mkdirSync(".oneoff/page", { recursive: true });',
    );
    this.write("assets/jobs/job.py", "");
    this.write("clients/docker.ts", "");
    this.write("core/errors.ts", "");
    this.write(
      "engine/bundles.ts",
      `import fs from "node:fs";
       fs.appendFileSync(process.env.CALLS, "node engine/bundles.ts\\n");
       if (process.env.FAKE_BUNDLES === "fails") throw new Error("it can't be bundled");
       fs.mkdirSync(".oneoff/bundles", { recursive: true });`,
    );
    this.write("tests/requirements.txt", "pytest==9.2.0\n");
    this.write("calls", "");
    fs.mkdirSync(this.bin);
    fs.symlinkSync(process.execPath, join(this.bin, "node"));
    for (const name of programs) fs.symlinkSync(join(root, "tests/engine/stub.mjs"), join(this.bin, name));
  }

  /** Everything set-up can ask for but what would come from the network. */
  static complete = () => new Checkout("java", "python3.11", "npm", "go", "chromium");

  write(path: string, text: string): void {
    fs.mkdirSync(join(this.folder, path, ".."), { recursive: true });
    fs.writeFileSync(join(this.folder, path), text);
  }

  read = (path: string): string => fs.readFileSync(join(this.folder, path), "utf8");

  has = (path: string): boolean => fs.existsSync(join(this.folder, path));

  lock(version: string): void {
    this.write("package-lock.json", JSON.stringify({ packages: { "": {}, "node_modules/pulumi": { version } } }));
  }

  /** What was called since the last time. */
  calls(): string[] {
    const calls = this.read("calls").split("\n").filter(Boolean);
    this.write("calls", "");
    return calls;
  }

  start(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): { child: ChildProcess; outcome: Promise<Outcome> } {
    const child = spawn(process.execPath, [join(this.folder, "engine/setup.mjs"), ...args], {
      env: { PATH: this.bin, PULUMI_HOME: join(this.folder, "pulumi"), CALLS: join(this.folder, "calls"), ...env },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    const outcome = new Promise<Outcome>((resolve) => {
      child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
    return { child, outcome };
  }

  run = (args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Outcome> => this.start(args, env).outcome;

  /** Resolves when a stub has been called. */
  async called(call: string): Promise<void> {
    await expect.poll(() => this.read("calls"), { timeout: 10_000, interval: 20 }).toContain(call);
  }
}

const PYSPARK = "pip install engine/requirements.txt";
const TEST_TOOLS = "pip install tests/requirements.txt";
const BUNDLES = "node engine/bundles.ts";
const MADE = ["npm ci --include=dev", "go build -trimpath", "python -m venv", PYSPARK, BUNDLES];

/** Those of every set-up, in their order. */
const ALL_STEPS = [
  "Java",
  "Python",
  "npm packages",
  "Pulumi CLI",
  "Node language host",
  "PySpark",
  "dashboard page",
  "bundles",
];

test("makes all of it once; the second time it starts nothing and takes no time", async () => {
  const checkout = Checkout.complete();
  const first = await checkout.run(["--tests"]);
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(checkout.calls()).toEqual(expect.arrayContaining([...MADE, TEST_TOOLS]));
  expect(checkout.read(".oneoff/chromium")).toBe(join(checkout.bin, "chromium"));
  expect(fs.readlinkSync(join(checkout.folder, "node_modules/.bin/oneoff"))).toBe("../../cli/oneoff.mjs");
  expect(fs.statSync(join(checkout.cli, "pulumi-language-nodejs")).mode & 0o111).toBe(0o111);

  const started = performance.now();
  const second = await checkout.run(["--tests"]);
  expect(performance.now() - started).toBeLessThan(1000);
  expect(checkout.calls()).toEqual([]);
  const lines = second.stdout.trim().split("\n");
  expect(lines.map((line) => line.slice(0, 20).trimEnd())).toEqual([
    ...ALL_STEPS,
    "test tools",
    "Chromium",
    "Docker engine",
  ]);
  for (const line of lines.map((line) => line.slice(20))) expect(line).toMatch(/^ ready +\d+\.\d s {2}\S/);
  expect(lines[0]).toBe(`Java                 ready    0.0 s  17.0.15, ${join(checkout.bin, "java")}`);
});

test("makes again only what changed", async () => {
  const checkout = Checkout.complete();
  await checkout.run();
  checkout.calls();
  checkout.write("package.json", '{ "devDependencies": { "pulumi": "3.250.0" }, "scripts": {} }');
  await checkout.run();
  expect(checkout.calls()).toEqual([]);
  checkout.lock("1.0.1");
  await checkout.run();
  expect(checkout.calls()).toEqual(["npm ci --include=dev", BUNDLES]); // the packages are in the bundles
  checkout.write("engine/requirements.txt", "pyspark==3.5.8\n");
  expect((await checkout.run()).stdout).toMatch(/PySpark +made +[\d.]+ s {2}3\.5\.8\n/);
  expect(checkout.calls()).toEqual(["python -m venv", PYSPARK]);
  checkout.write("engine/language-host.mjs", "// newer");
  expect((await checkout.run()).stdout).toMatch(/Node language host +made/);
  expect(fs.readFileSync(join(checkout.cli, "pulumi-language-nodejs.mjs"), "utf8")).toBe("// newer");
  checkout.write("assets/dashboard/page/index.html", "<p>");
  expect((await checkout.run()).stdout).toMatch(/dashboard page +made/);
  expect((await checkout.run()).stdout).not.toContain("made");
});

test.each<[string, (checkout: Checkout) => void]>([
  ["a module of assets", (checkout) => checkout.write("assets/reaper/index.ts", "export {};")],
  ["a new module of core", (checkout) => checkout.write("core/lake-layout.ts", "")],
  ["one that is gone", (checkout) => fs.rmSync(join(checkout.folder, "core/errors.ts"))],
  ["how they are built", (checkout) => checkout.write("engine/bundles.ts", `${checkout.read("engine/bundles.ts")}\n`)],
  ["their folder, deleted", (checkout) => fs.rmSync(join(checkout.folder, ".oneoff/bundles"), { recursive: true })],
])("bundles are built again after a change of %s", async (_what, change) => {
  const checkout = Checkout.complete();
  checkout.write("assets/reaper/index.ts", "");
  await checkout.run();
  checkout.calls();
  change(checkout);
  expect((await checkout.run()).stdout).toMatch(/\nbundles +made +[\d.]+ s {2}built\n/);
  expect(checkout.calls()).toEqual([BUNDLES]);
  expect((await checkout.run()).stdout).toMatch(/\nbundles +ready/);
  expect(checkout.calls()).toEqual([]);
});

test("bundles are not built again after a change of what is not in them", async () => {
  const checkout = Checkout.complete();
  await checkout.run();
  checkout.calls();
  checkout.write("assets/jobs/__pycache__/job.cpython-311.pyc", "bytecode");
  checkout.write("tests/some.test.ts", "");
  checkout.write("cli/oneoff.mjs", "// newer");
  checkout.write("package.json", '{ "devDependencies": { "pulumi": "3.250.0" }, "scripts": {} }');
  fs.symlinkSync("nowhere", join(checkout.folder, "core/.#errors.ts")); // an editor's lock
  expect(await checkout.run()).toMatchObject({ code: 0, stdout: expect.stringMatching(/\nbundles +ready/) });
  expect(checkout.calls()).toEqual([]);
});

test("bundles that could not be built are built the next time", async () => {
  const checkout = Checkout.complete();
  await checkout.run();
  const source = join(checkout.folder, "core/errors.ts");
  const away = join(checkout.folder, "away.ts");
  fs.renameSync(source, away);
  const failed = await checkout.run([], { FAKE_BUNDLES: "fails" });
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("it can't be bundled") });
  fs.renameSync(away, source); // the sources are again what was built, but what is there may be half of it
  checkout.calls();
  expect((await checkout.run()).code).toBe(0);
  expect(checkout.calls()).toEqual([BUNDLES]);
});

test("test tools are installed with --tests only, and again when they or their environment changed", async () => {
  const checkout = Checkout.complete();
  const without = await checkout.run();
  expect(without.code).toBe(0);
  expect(without.stdout).not.toContain("test tools");
  expect(checkout.calls()).not.toContain(TEST_TOOLS);
  expect((await checkout.run(["--tests"])).stdout).toMatch(/\ntest tools +made /);
  expect(checkout.calls()).toEqual([TEST_TOOLS, "chromium --version"]);

  checkout.write("tests/requirements.txt", "pytest==9.2.1\n");
  await checkout.run();
  expect(checkout.calls()).toEqual([]);
  expect((await checkout.run(["--tests"])).stdout).toMatch(/\ntest tools +made /);
  expect(checkout.calls()).toEqual([TEST_TOOLS]);

  checkout.write("engine/requirements.txt", "pyspark==3.5.8\n");
  await checkout.run(["--tests"]);
  expect(checkout.calls()).toEqual(["python -m venv", PYSPARK, TEST_TOOLS]);
  await checkout.run(["--tests"]);
  expect(checkout.calls()).toEqual([]);
});

test("test tools that could not be installed are installed the next time", async () => {
  const checkout = Checkout.complete();
  await checkout.run(["--tests"]);
  const before = checkout.read("tests/requirements.txt");
  checkout.write("tests/requirements.txt", "pytest==9.2.1\n");
  const failed = await checkout.run(["--tests"], { FAKE_PIP: "fails" });
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/something went wrong\n.* -r \S+\/tests\/requirements\.txt: exit code 1: see /);
  expect(checkout.has(".oneoff/venv/tests-stamp")).toBe(false);
  checkout.calls();
  checkout.write("tests/requirements.txt", before); // what is installed may still be neither
  expect((await checkout.run(["--tests"])).code).toBe(0);
  expect(checkout.calls()).toEqual([TEST_TOOLS]);
  expect(checkout.has(".oneoff/venv/tests-stamp")).toBe(true);
});

const JAVA_CURE =
  "install it with: sudo apt-get install openjdk-17-jre-headless (Debian, Ubuntu) or brew install openjdk@17 (macOS), or set JAVA_HOME";
const PYTHON_CURE =
  "install it with: sudo apt-get install python3 python3-venv (Debian, Ubuntu) or brew install python@3.11 (macOS)";

test.each<[string, string[], NodeJS.ProcessEnv, string]>([
  ["no Java", ["python3"], {}, `Java 17 or newer was not found: ${JAVA_CURE}`],
  [
    "a JAVA_HOME without Java",
    ["java", "python3"],
    { JAVA_HOME: "/nowhere" },
    `Java 17 or newer was not found (JAVA_HOME is /nowhere): ${JAVA_CURE}`,
  ],
  ["Java 11", ["java"], { FAKE_JAVA: "11.0.2" }, `Java 17 or newer is needed and BIN/java is 11.0.2: ${JAVA_CURE}`],
  ["Java 8", ["java"], { FAKE_JAVA: "1.8.0_402" }, `Java 17 or newer is needed and BIN/java is 8.0_402: ${JAVA_CURE}`],
  ["no Python", ["java"], {}, `Python 3.10 or newer was not found: ${PYTHON_CURE}`],
  [
    "Python 3.9",
    ["java", "python3", "python"],
    { FAKE_PYTHON: "3.9.2\nvenv" },
    `Python 3.10 or newer with venv is needed and BIN/python3 is 3.9.2, BIN/python is 3.9.2: ${PYTHON_CURE}`,
  ],
  [
    "a Python without venv",
    ["java", "python3"],
    { FAKE_PYTHON: "3.11.7" },
    `Python 3.10 or newer with venv is needed and BIN/python3 is without its module venv: ${PYTHON_CURE}`,
  ],
  [
    "no npm",
    ["java", "python3"],
    {},
    "npm ci --include=dev --no-audit --no-fund --loglevel=error: spawn npm ENOENT: see LOG",
  ],
  [
    "npm without install scripts",
    ["java", "python3", "npm"],
    { FAKE_NPM: "ignores scripts" },
    "npm left out the install script that brings Node 24 (ignore-scripts is set in your npm settings): npm rebuild node --ignore-scripts=false",
  ],
  [
    "no Go and no download",
    ["java", "python3", "npm"],
    {},
    "Pulumi CLI 3.250.0 could not be downloaded from https://get.pulumi.com, nor built with no Go: allow that address, or install Go 1.21 or newer (https://go.dev/doc/install) and run this again",
  ],
  [
    "a Go that is too old",
    ["java", "python3", "npm", "go"],
    { FAKE_GO: "1.19.8" },
    "Pulumi CLI 3.250.0 could not be downloaded from https://get.pulumi.com, nor built with go1.19.8: allow that address, or install Go 1.21 or newer (https://go.dev/doc/install) and run this again",
  ],
  [
    "a full disk",
    ["java", "python3", "npm"],
    { FAKE_NPM: "disk full" },
    "no space is left on the disk: free a few gigabytes and run this again",
  ],
  [
    "an ONEOFF_CHROMIUM that is none",
    ["java", "python3", "npm", "go"],
    { ONEOFF_CHROMIUM: "/nowhere" },
    "ONEOFF_CHROMIUM is not a program that can be run: it is /nowhere",
  ],
  [
    "no Chromium",
    ["java", "python3", "npm", "go"],
    {},
    "a Chromium for the tests of the page was not found and could not be installed: install it with: sudo apt-get install chromium (Debian) or brew install --cask chromium (macOS), or set ONEOFF_CHROMIUM to one",
  ],
])("%s gets one sentence with the cure", async (_what, programs, env, sentence) => {
  const checkout = new Checkout(...programs);
  const { code, stderr } = await checkout.run(["--tests", "--", "node", "-e", "console.log('not reached')"], env);
  const expected = sentence.replaceAll("BIN", checkout.bin).replace("LOG", join(checkout.folder, ".oneoff/setup.log"));
  expect(stderr.trimEnd().split("\n").at(-1)).toBe(expected);
  expect(stderr).not.toMatch(/\bat .*:\d+/); // no stack trace
  expect(code).toBe(1);
});

test("shows the end of what a failed command said", async () => {
  const { stderr } = await Checkout.complete().run([], { FAKE_NPM: "fails" });
  expect(stderr).toMatch(/^ {4}something went wrong\nnpm ci .*: exit code 1: see .*setup\.log\n$/);
});

test("a disk that is too full is told before anything is begun", async () => {
  const { needSpace } = await import(join(root, "engine/setup/process.mjs"));
  expect(() => needSpace(tmpdir(), 0.001)).not.toThrow();
  expect(() => needSpace(tmpdir(), 1e9)).toThrow(
    /^1000000000 GB are needed in \S+ and [\d.]+ GB are free: free the difference$/,
  );
});

test("Java above 21 is taken, and said to be untested", async () => {
  const { stdout } = await Checkout.complete().run([], { FAKE_JAVA: "25.0.1" });
  expect(stdout).toMatch(/^Java .* 25\.0\.1, untested: Spark 3\.5 is made for 17 and 21\n/);
});

test("the official download is taken where it can be had, with its own language host", async () => {
  const checkout = Checkout.complete();
  const { stdout } = await checkout.run([], { FAKE_DOWNLOAD: "works" });
  expect(stdout).toMatch(/Node language host +ready .* of the download\n/);
  expect(checkout.calls()).not.toContain("go build -trimpath");
  expect(fs.readdirSync(checkout.cli)).toEqual(["pulumi", "pulumi-language-nodejs"]);
});

test("root gets Chromium and Docker from the distribution where there is none", { tags: ["root"] }, async () => {
  const checkout = new Checkout("java", "python3", "npm", "go", "apt-get");
  expect(await checkout.run(["--tests"])).toMatchObject({ code: 0 });
  const install = ["apt-get update", "apt-get install -y"];
  expect(checkout.calls().slice(-5)).toEqual([...install, "chromium --version", ...install]);
  expect(checkout.read(".oneoff/chromium")).toBe(join(checkout.bin, "chromium"));
  expect(fs.existsSync(join(checkout.bin, "dockerd"))).toBe(true);
});

test("a CLI of another version or half of one is replaced", async () => {
  const checkout = Checkout.complete();
  fs.mkdirSync(checkout.cli, { recursive: true });
  fs.writeFileSync(join(checkout.cli, "pulumi"), "", { mode: 0o755 });
  expect((await checkout.run()).code).toBe(0);
  expect(checkout.calls()).toContain("go build -trimpath");
});

test("two at once make it once: the other waits and says so", async () => {
  const checkout = Checkout.complete();
  const slow = { FAKE_NPM: "is slow" };
  const first = checkout.start([], slow);
  await checkout.called("npm ci");
  const second = checkout.start([], slow);
  expect(await second.outcome).toMatchObject({ code: 0 });
  expect((await second.outcome).stdout).toContain(`waiting for another set-up, process ${first.child.pid} (`);
  expect(await first.outcome).toMatchObject({ code: 0 });
  expect(checkout.calls().filter((call) => MADE.includes(call))).toHaveLength(MADE.length);
  expect(fs.readdirSync(join(checkout.folder, ".oneoff")).filter((name) => name.startsWith("setup.lock"))).toEqual([]);
});

test("a lock that a crash of the machine has left empty is taken", async () => {
  const checkout = Checkout.complete();
  checkout.write(".oneoff/setup.lock", "");
  const hourAgo = Date.now() / 1000 - 3600;
  fs.utimesSync(join(checkout.folder, ".oneoff/setup.lock"), hourAgo, hourAgo);
  expect(await checkout.run()).toMatchObject({ code: 0 });
});

test("one that was killed is picked up, and what it left running is ended", async () => {
  const checkout = Checkout.complete();
  const killed = checkout.start([], { FAKE_NPM: "hangs" });
  await checkout.called("npm ci");
  killed.child.kill("SIGKILL");
  await killed.outcome.catch(() => {});
  const orphan = Number(/process (\d+)/.exec(checkout.read(".oneoff/setup.lock").split("\n")[2] ?? "")?.[1]);
  expect(isRunning(orphan)).toBe(true);
  expect(await checkout.run()).toMatchObject({ code: 0 });
  expect(isRunning(orphan)).toBe(false);
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s ends what runs and leaves no lock", async (signal, code) => {
  const checkout = Checkout.complete();
  const { child, outcome } = checkout.start([], { FAKE_NPM: "hangs" });
  await checkout.called("npm ci");
  const running = Number(/process (\d+)/.exec(checkout.read(".oneoff/setup.lock").split("\n")[2] ?? "")?.[1]);
  child.kill(signal);
  expect(await outcome).toMatchObject({ code, stderr: "" });
  expect(isRunning(running)).toBe(false);
  expect(checkout.has(".oneoff/setup.lock")).toBe(false);
});

test("runs the command in the checkout with what was set up, and passes its exit code on", async () => {
  const checkout = Checkout.complete();
  const script = "console.log(process.env.PATH); console.log(process.cwd()); process.exit(7)";
  const { code, stdout } = await checkout.run(["--", "node", "-e", script, "--", "--tests"]);
  const path = [
    checkout.cli,
    ...["node_modules/.bin", ".oneoff/venv/bin", "bin"].map((name) => join(checkout.folder, name)),
  ];
  expect(stdout.trimEnd().split("\n").slice(-2)).toEqual([path.join(delimiter), fs.realpathSync(checkout.folder)]);
  expect(stdout).not.toContain("Chromium"); // options after -- are the command's own
  expect(code).toBe(7);
});

test("passes signals on to the command and reports how it ended", async () => {
  const checkout = Checkout.complete();
  await checkout.run();
  const script = "process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1000); console.error('up')";
  const handles = checkout.start(["--", "node", "-e", script]);
  await new Promise((resolve) => handles.child.stderr?.once("data", resolve));
  handles.child.kill("SIGTERM");
  expect(await handles.outcome).toMatchObject({ code: 9 });

  const dies = checkout.start(["--", "node", "-e", "setInterval(() => {}, 1000); console.error('up')"]);
  await new Promise((resolve) => dies.child.stderr?.once("data", resolve));
  dies.child.kill("SIGTERM");
  expect(await dies.outcome).toMatchObject({ code: 143 });
});

test("a command that isn't there gets a sentence", async () => {
  const checkout = Checkout.complete();
  expect(await checkout.run(["--", "nonesuch"])).toMatchObject({
    code: 127,
    stderr: "nonesuch can't be run: spawn nonesuch ENOENT\n",
  });
  expect(await checkout.run(["--test"])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^--test is no option: /),
  });
});

test("--check says what is there and changes nothing", async () => {
  const checkout = Checkout.complete();
  const before = await checkout.run(["--check", "--json"], { FAKE_JAVA: "11.0.2" });
  expect(before.code).toBe(1);
  expect(JSON.parse(before.stdout)).toEqual([
    {
      name: "Java",
      ok: false,
      detail: `Java 17 or newer is needed and ${checkout.bin}/java is 11.0.2`,
      cure: JAVA_CURE,
    },
    { name: "Python", ok: true, detail: `3.11.7, ${checkout.bin}/python3.11` },
    ...ALL_STEPS.slice(2).map((name) => ({
      name,
      ok: false,
      detail: "not set up",
      cure: "node engine/setup.mjs",
    })),
  ]);
  expect(checkout.has(".oneoff")).toBe(false);
  expect(checkout.has("pulumi")).toBe(false);

  await checkout.run();
  const after = await checkout.run(["--check"]);
  expect(after.code).toBe(0);
  expect(after.stdout).toMatch(/^Java +ok +17\.0\.15, .*\nPython +ok/);
});

test("in a project with the published package, Java, Python, PySpark and Pulumi are looked for", async () => {
  const checkout = new Checkout();
  fs.rmSync(join(checkout.folder, "package-lock.json"));
  const { stdout } = await checkout.run(["--check", "--json"]);
  expect(JSON.parse(stdout).map(({ name }: { name: string }) => name)).toEqual([
    "Java",
    "Python",
    "PySpark",
    "Pulumi CLI",
  ]);
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = `/proc/${pid}/stat`;
  return !fs.existsSync(status) || !/\) Z /.test(fs.readFileSync(status, "utf8")); // a zombie has ended
}
