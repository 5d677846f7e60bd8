/** The package as its users get it: packed, installed elsewhere, imported from both kinds of program. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { carriedFiles, MANIFEST } from "../../assets/manifest.ts";
import { freePort } from "../free-port.ts";
import { installInto, manifest } from "../packed.ts";
import { processesOf, readJsonFile } from "../project.ts";
import { type OwnProgram, ownProgram } from "./own-program.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "oneoff-package-"));
const modules = join(home, "node_modules");

function run(command: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    // A compiler says on its standard output what is wrong.
    throw new Error(`${(error as Error).message}\n${(error as { stdout?: string }).stdout ?? ""}`);
  }
}

beforeAll(() => void installInto(home));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const body = `
const tiny = job({
  name: "tiny",
  from: FROM,
  steps: [{ name: "count", script: "count.py", timeLimit: "5 minutes" }],
  tables: [{ name: "points", about: "A point", columns: [{ name: "x", type: ColumnType.double }] }],
});
const lifetime: Lifetime = { deadline: "1.5 hours" };
const use = (j: Job) => [LocalLake, LocalCluster, LocalDashboard, SwarmCluster, GcsLake].length + j.steps.length;
const workers: EmrClusterArgs["workers"] = { count: 2, spot: { fallback: SpotFallback.onDemand } };
const bill = EmrCluster.bill({ job: tiny, lifetime, workers, region: "us-west-2" }, "7 days");
const rented = DataprocCluster.bill({ job: tiny, lifetime, project: "my-project", region: "us-central1" }, "7 days");
console.log(JSON.stringify([use(tiny), use(xo({ rows: 10 })), lifetime.deadline, bill.length, rented.length]));
try {
  job({ ...tiny, from: FROM, name: "Not A Name", steps: [] });
} catch (error) {
  console.log(error instanceof UsageError);
}
`;
const imports = `
import { SwarmCluster } from "pulumi-oneoff/docker";
import { ColumnType, type Job, job, type Lifetime, UsageError } from "pulumi-oneoff";
import { DataprocCluster, GcsLake } from "pulumi-oneoff/gcp";
import { EmrCluster, type EmrClusterArgs, SpotFallback } from "pulumi-oneoff/aws";
import { xo } from "pulumi-oneoff/jobs";
import { LocalCluster, LocalDashboard, LocalLake } from "pulumi-oneoff/local";
`;
const printed = '[6,7,"1.5 hours",6,5]\ntrue\n';

function program(name: string, text: string, config: object, type: string): string {
  const folder = join(home, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "index.ts"), text);
  writeFileSync(join(folder, "count.py"), "");
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: config, files: ["index.ts"] }));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, type }));
  return folder;
}

test("an ESM program on Node's resolution compiles with its types and runs", () => {
  const options = { strict: true, module: "nodenext", target: "es2023", types: ["node"], outDir: "bin" };
  const folder = program("esm", `${imports}${body.replaceAll("FROM", "import.meta.url")}`, options, "module");
  run(join(root, "node_modules/.bin/tsc"), ["-p", "."], folder);
  cpSync(join(folder, "count.py"), join(folder, "bin", "count.py"));
  expect(run(process.execPath, ["bin/index.js"], folder)).toBe(printed);
}, 180_000);

test("a program like Pulumi's TypeScript template (CommonJS, old resolution) compiles with its types and runs", () => {
  const options = {
    ...{ strict: true, outDir: "bin", target: "es2020", module: "commonjs", moduleResolution: "node", pretty: true },
    ...{ experimentalDecorators: true, noFallthroughCasesInSwitch: true, noImplicitReturns: true },
    forceConsistentCasingInFileNames: true,
  };
  const folder = program("template", `${imports}${body.replaceAll("FROM", "__filename")}`, options, "commonjs");
  run(join(root, "node_modules/typescript5/bin/tsc"), ["-p", "."], folder);
  cpSync(join(folder, "count.py"), join(folder, "bin", "count.py"));
  expect(run(process.execPath, ["bin/index.js"], folder)).toBe(printed);
}, 180_000);

test("panels are looked at by the package alone: their SQL by DuckDB, their charts by the page's Vega-Lite", () => {
  const script = `
    const { lookNow } = await import("./node_modules/pulumi-oneoff/dist/assets/dashboard/panels/now.js");
    const { compiled } = await import("./node_modules/pulumi-oneoff/dist/assets/dashboard/panels/compile.js");
    const tables = [{ name: "t", about: "T", columns: [{ name: "x", type: "double" }] }];
    const panels = [{ name: "p", title: "P", shows: "P.", sql: "SELECT y FROM {t}", chart: { mark: "brr" } }];
    console.log(JSON.stringify([lookNow({ tables, panels }), await compiled(panels)].map((found) => found.length)));`;
  expect(run(process.execPath, ["--input-type=module", "-e", script], home)).toBe("[1,1]\n");
}, 180_000);

test("importing starts and deploys nothing", () => {
  expect(processesOf(home)).toEqual([]);
});

test.each([
  "provider",
  "assets/local", // where it was once
])(
  "the provider of the local components starts from the package's folder %s",
  async (folder) => {
    const plugin = join(modules, "pulumi-oneoff/dist", folder, "pulumi-resource-oneoff-local");
    const provider = spawn(plugin, ["127.0.0.1:1"], { stdio: ["ignore", "pipe", "inherit"] });
    const [port] = await once(provider.stdout, "data");
    provider.kill();
    expect(String(port)).toMatch(/^\d+\n$/);
  },
  30_000,
);

test("the package has what runs elsewhere, and no sources or tests", () => {
  const files = run("find", [".", "-type", "f"], join(modules, "pulumi-oneoff")).trim().split("\n");
  const bundled = Object.entries(MANIFEST).flatMap(([name, { entry }]) => (entry ? `bundles/${name}/index.mjs` : []));
  expect(bundled).toHaveLength(6);
  expect(carriedFiles(root).length).toBeGreaterThan(50);
  for (const file of [
    ...bundled,
    ...carriedFiles(root),
    ...["assets/jobs/oneoff.py", "assets/jobs/xo/train.py", "assets/jobs/xo/requirements.txt", "assets/steps/guard.sh"],
    ...["provider/pulumi-resource-oneoff-local", "provider/provider.js", "provider/supervisor.js"],
    ...["assets/local/step.sh", "assets/local/requirements.py"], // where runs of version 0.1.0 look for them
    ...["assets/driver/run.py", "assets/steps/step_runner.py", "assets/notebooks/startup.ipynb"],
    ...[
      "assets/images/spark/Dockerfile",
      "assets/images/hdfs/conf/hdfs-site.xml",
      "bundles/dashboard-image/Dockerfile",
    ],
    ...["assets/dashboard/server.js", "assets/dashboard/page/index.html", "cli/main.js", "engine/setup.mjs"],
  ]) {
    expect(files).toContain(`./dist/${file}`);
  }
  expect(files.filter((file) => /tests?\/|[^d]\.ts$|tsconfig/.test(file))).toEqual([]);
  expect(run(process.execPath, ["dist/cli/main.js", "settings", "local"], join(modules, "pulumi-oneoff"))).toContain(
    "`oneoff:rows`",
  );
});

describe("a project as docs/local.md tells to make one", () => {
  const folder = join(home, "own");
  let own: OwnProgram;
  let page: string;
  beforeAll(async () => {
    const port = await freePort();
    page = `http://127.0.0.1:${port}`;
    own = ownProgram(folder, modules, port);
  });
  const typed = async (code: number, line: string, more?: string): Promise<string> => {
    const ended = await own.type(line, more);
    expect(ended, line).toMatchObject({ code });
    return ended.printed;
  };
  const well = (line: string, more?: string) => typed(0, line, more);

  test("says what is missing, before there is anything, and is set up", async () => {
    own.write("ts");
    const poor = await typed(1, "npx --no oneoff doctor");
    expect(poor).toMatch(
      /^missing {2}Pulumi backend +you are not logged in\n.* eval "\$\(npx --no oneoff env dev\)"$/m,
    );
    expect(poor).toMatch(/^ok {7}program +6 resources, on this machine$/m);
    const [ready, set] = await Promise.all([well("npx --no oneoff setup"), well("eval", "; env")]);
    expect(ready).toMatch(/^PySpark +ready/m);
    for (const name of ["PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"]) {
      own.env[name] = new RegExp(`^${name}=(.*)$`, "m").exec(set)?.[1];
    }
    expect(own.env.PULUMI_BACKEND_URL).toBe(`file://${join(folder, ".oneoff/state")}`);
  });

  test("computes the run that is asked for", async () => {
    expect(await well("npx --no oneoff run", " --id a")).toMatch(/^Run a of words succeeded after /m);
  });

  test("is the same as a CommonJS program, and all commands work", async () => {
    own.write("js");
    await well("npx pulumi up", " --yes --skip-preview --expect-no-changes --non-interactive");
    const commands = [
      "watch",
      "open",
      "get",
      "doctor",
      "settings",
      "cost",
      "check",
      "status",
      "logs",
      "runs",
      "cancel",
    ];
    const [watched, opened, got, doctor, settings, cost, checked, status, logs, runs, cancelled] = await Promise.all(
      commands.map((command) => well(`npx --no oneoff ${command}`)),
    );
    expect(watched).toContain(`Dashboard  ${page}\n`);
    expect(watched).toMatch(/^Run a of words succeeded after /m);
    expect(opened).toBe(`Dashboard: ${page}\n`);
    await expect.poll(() => readFileSync(join(folder, "opened"), "utf8")).toBe(`${page}\n`);
    expect(got).toBe("word,occurrences\nand,3\nor,2\nnot,3\n");
    expect(doctor).toMatch(/^ok {7}program +6 resources, on this machine$/m);
    expect(doctor).not.toMatch(/^missing/m);
    expect(settings).toContain("| `oneoff:runId` | `1` ");
    expect(cost).toBe("Stack dev rents nothing that is known here.\n");
    expect(await typed(2, "npx --no oneoff leftovers")).toContain("stack dev is up, and what it has is in use");
    expect(status).toMatch(/^Run {6}a of words: succeeded after /m);
    expect(logs).toMatch(/^count \| /m);
    expect(runs).toMatch(/^a +words +succeeded/m);
    expect(cancelled).toContain("Run a of words is over already: it succeeded");
    expect(checked).toMatch(/^job "words": \d+ panels? of it looked at, as DuckDB shows them: fine$/m);
  });

  test("ends a run in the midst of a step, with all that it started, and says so", async () => {
    const before = processesOf(folder);
    writeFileSync(join(folder, "count.py"), 'import time\n\nprint("at work", flush=True)\ntime.sleep(600)\n');
    const running = typed(8, "npx --no oneoff run", " --id slow");
    const log = join(folder, "results/_logs/slow/count.log");
    await expect.poll(() => readFileSync(log, "utf8"), { timeout: 120_000 }).toContain("at work");
    expect(processesOf(folder).filter((command) => command.includes("count.py"))).not.toEqual([]);
    expect(await well("npx --no oneoff cancel", " --yes")).toMatch(/^Run slow of words was cancelled after /m);
    expect(await running).toMatch(/^Run slow of words was cancelled/m);
    expect(processesOf(folder)).toEqual(before);
    const steps = [{ name: "count", state: "cancelled" }];
    expect(JSON.parse(await well("npx --no oneoff status", " --json"))).toMatchObject({
      stack: "dev",
      run: { run: "slow", state: "cancelled", steps },
    });
    expect(readJsonFile(folder, "results/_runs/slow.json")).toMatchObject({ state: "failed", cancelled: true });
    const again = await well("npx --no oneoff cancel", " --yes");
    expect(again).toMatch(/^Run slow of words is over already: it was cancelled at /m);
  });

  test("has its lake among the leftovers where its program alone says of it", async () => {
    const [state, away] = [join(folder, ".oneoff/state"), join(folder, ".oneoff/away")];
    renameSync(state, away);
    try {
      expect(await typed(1, "npx --no oneoff leftovers")).toContain(
        `left of stack dev or its lake ${join(folder, "results")}`,
      );
    } finally {
      rmSync(state, { recursive: true, force: true });
      renameSync(away, state);
    }
  });

  test("is refused another run where its cluster has a runId of its own, and what it falls over is told", async () => {
    own.write("js", (program) => program.replace("{ lake, lifetime", '{ lake, runId: "a", lifetime'));
    expect(await typed(2, "npx --no oneoff run", " --id b")).toContain(
      'oneoff:runId is "b", and the program\'s cluster has runId "a": leave its runId out, which takes the setting',
    );
    own.write("js", () => 'throw new Error("it fell over");\n');
    expect(await typed(2, "npx --no oneoff cost")).toBe("oneoff: Error: it fell over\n");
  });

  test("is destroyed to nothing", async () => {
    expect(await well("npx --no oneoff down", " --yes")).toMatch(/Nothing is left of stack dev/);
    expect(processesOf(folder)).toEqual([]);
    expect(readdirSync(folder)).not.toContain("results");
    expect(await well("npx --no oneoff leftovers")).toMatch(/nothing/i);
    expect(readdirSync(join(folder, ".oneoff"))).not.toContain("state");
  });
});

describe("a project as the documentation of version 0.1.0 told to write it", () => {
  const folder = join(home, "before");
  const results = join(folder, "results");
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    cpSync(join(root, "tests/upgrade/project"), folder, { recursive: true });
    symlinkSync(modules, join(folder, "node_modules"));
    mkdirSync(join(home, "state"));
    env = {
      ...process.env,
      PATH: [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter),
      PULUMI_BACKEND_URL: `file://${join(home, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      ONEOFF_PYTHON: join(root, ".oneoff/venv/bin/python"),
      BEFORE_PORT: String(await freePort()),
    };
  });
  const pulumi = (...args: readonly string[]) =>
    promisify(execFile)("pulumi", [...args, "--non-interactive", "--color=never"], { cwd: folder, env });
  const act = (what: string, ...more: readonly string[]) => pulumi(what, "--yes", "--skip-preview", ...more);

  test("has all ways into the package, with the types that there were", () => {
    const options = { strict: true, module: "nodenext", target: "es2023", types: ["node"], noEmit: true };
    const config = { compilerOptions: { ...options, resolveJsonModule: true, allowImportingTsExtensions: true } };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ ...config, files: ["index.ts", "clouds.ts"] }));
    run(join(root, "node_modules/.bin/tsc"), ["-p", "."], folder);
    expect(JSON.parse(run(process.execPath, ["clouds.ts"], folder))).toEqual({
      package: "pulumi-oneoff",
      components: [
        ...["AthenaDashboard", "EmrCluster", "Network", "Reaper", "S3Lake"],
        ...["SwarmCluster", "SwarmDashboard"],
        ...["BigQueryDashboard", "DataprocCluster", "GcpNetwork", "GcsLake"],
        ...["LocalCluster", "LocalDashboard", "LocalLake"],
      ],
      bills: [true, true],
      steps: [
        ["generate", "train"],
        ["generate", "convert", "analyze", "model"],
      ],
      refusal: true,
    });
    expect(Object.keys(manifest.exports)).toEqual([
      ...[".", "./aws", "./docker", "./gcp", "./local", "./jobs", "./package.json"],
    ]);
  }, 180_000);

  test("is brought up, computes, has nothing more to do, and is destroyed to nothing", async () => {
    await pulumi("stack", "init", "dev");
    try {
      await act("up");
      const status = () => readJsonFile(results, "_clusters/1/status.json");
      while (status().state === "running") await sleep(100);
      expect(status()).toMatchObject({ state: "succeeded" });
      expect(readJsonFile(results, "_runs/1.json")).toMatchObject({ tables: { words: { rows: 3 } } });
      await act("up", "--expect-no-changes");
    } finally {
      await act("destroy");
    }
    expect(processesOf(folder)).toEqual([]);
    expect(readdirSync(folder)).not.toContain("results");
  });
});
