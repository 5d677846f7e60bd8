/** How long `oneoff cancel` of a local run in the midst of a step takes, as a command that is typed. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { logKey } from "../../core/lake-layout.ts";
import { processesOf, readJsonFile } from "../project.ts";
import { quickJava } from "../spark/quick-java.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const AT_WORK = "at work";

const PROJECT: Readonly<Record<string, string>> = {
  "package.json": JSON.stringify({ name: "sleeper", type: "module" }),
  "Pulumi.yaml": `name: sleeper
runtime: { name: nodejs, options: { typescript: false } }
main: index.js
plugins: { providers: [{ name: oneoff-local, path: node_modules/pulumi-oneoff/dist/provider }] }
`,
  "index.js": `import { job, outputs } from "pulumi-oneoff";
import { LocalCluster, LocalLake } from "pulumi-oneoff/local";
const columns = [{ name: "x", type: "double" }];
const sleeper = job({
  name: "sleeper",
  from: import.meta.url,
  steps: [{ name: "sleep", script: "sleep.py", timeLimit: "10 minutes" }],
  tables: [{ name: "nothing", about: "Nothing", columns }],
});
const lake = new LocalLake("lake", { job: sleeper, path: "lake" });
export default outputs({ cluster: new LocalCluster("cluster", { lake, lifetime: { deadline: "20 minutes" } }) });
`,
  "sleep.py": `import time\n\nprint("${AT_WORK}", flush=True)\ntime.sleep(600)\n`,
};

/**
 * Median, in seconds, from the command's start until no process of the run is left and its record says "cancelled".
 * @param folder of a project, to be made.
 * @param modules the folder node_modules with the package.
 */
export async function secondsToCancel(folder: string, modules: string, times: number): Promise<number> {
  mkdirSync(join(folder, "state"), { recursive: true });
  symlinkSync(modules, join(folder, "node_modules"));
  for (const [file, text] of Object.entries(PROJECT)) writeFileSync(join(folder, file), text);
  const env = {
    ...process.env,
    ...quickJava(),
    PATH: [join(modules, ".bin"), process.env.PATH].join(delimiter),
    PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_STACK: undefined,
    ONEOFF_PYTHON: join(ROOT, ".oneoff/venv/bin/python"),
  };
  const run = (command: string, ...args: readonly string[]) =>
    execFileSync(command, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const pulumi = (...args: readonly string[]) => run("pulumi", ...args, "--stack", "local", "--non-interactive");
  const oneoff = join(modules, "pulumi-oneoff", "cli", "oneoff.mjs");
  const lake = join(folder, "lake");
  run("pulumi", "stack", "init", "local");
  try {
    const took: number[] = [];
    for (let time = 1; time <= times; time++) {
      const id = String(time);
      pulumi("config", "set", "oneoff:runId", id);
      pulumi("up", "--yes", "--skip-preview");
      const log = join(lake, logKey(id, "sleep"));
      while (!existsSync(log) || !readFileSync(log, "utf8").includes(AT_WORK)) await sleep(50);
      if (processesOf(lake).length === 0) throw new Error("no process of the run is seen");
      const before = performance.now();
      run(process.execPath, oneoff, "cancel", "local", "--yes");
      while (processesOf(lake).length > 0 || !isCancelled(lake, id)) await sleep(10);
      took.push((performance.now() - before) / 1000);
    }
    return took.sort((a, b) => a - b)[Math.floor(times / 2)] as number;
  } finally {
    pulumi("destroy", "--yes", "--skip-preview");
  }
}

const isCancelled = (lake: string, run: string): boolean =>
  readJsonFile(lake, "_runs", `${run}.json`).cancelled === true;
