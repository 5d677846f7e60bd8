/** One more kind of cluster, as whoever brings one adds it: a folder and two lines, and all commands serve it. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freePort } from "../free-port.ts";
import { installInto } from "../packed.ts";
import { type Outcome, UNSET } from "../project.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "oneoff-toy-"));
const [tree, project, empty, box] = ["tree", "project", "empty", "box"].map((name) => join(home, name)) as [
  ...[string, string, string, string],
];
let modules: string;
let env: NodeJS.ProcessEnv;
let page: Server;

/** The tree that is packed, with the folder and the two lines, and nothing else. */
function addToy(): void {
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
  const files = execFileSync("git", list, { cwd: ROOT, encoding: "utf8" }).split("\0");
  for (const file of files.filter((file) => file !== "" && !file.startsWith("tests/"))) {
    mkdirSync(join(tree, dirname(file)), { recursive: true });
    cpSync(join(ROOT, file), join(tree, file));
  }
  symlinkSync(join(ROOT, "node_modules"), join(tree, "node_modules"));
  cpSync(join(ROOT, "tests/toy"), join(tree, "stacks/toy"), { recursive: true });
  appendFileSync(join(tree, "cli/kinds.ts"), 'export { toy } from "../stacks/toy/kind.ts";\n');
  const manifest = join(tree, "assets/manifest.ts");
  const line = '  "../stacks/toy": { carried: ["*.sh"] },\n';
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace(/^\} as const satisfies/m, `${line}$&`));
}

beforeAll(async () => {
  addToy();
  modules = installInto(home, tree);
  page = createServer((_, response) => response.end("a page of bricks")).listen(0, "127.0.0.1");
  await once(page, "listening");
  for (const folder of [empty, box, join(home, "state"), join(project, "node_modules", "..")]) {
    mkdirSync(folder, { recursive: true });
  }
  // A program of the user's own, as it is for every kind of cluster: what it returns tells the commands which it has.
  symlinkSync(modules, join(project, "node_modules"));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "mine", type: "module", main: "index.js" }));
  writeFileSync(join(project, "Pulumi.yaml"), "name: mine\nruntime: nodejs\n");
  writeFileSync(
    join(project, "index.js"),
    `import * as pulumi from "@pulumi/pulumi";
import program from "./node_modules/pulumi-oneoff/dist/stacks/toy/index.js";
const config = new pulumi.Config("oneoff");
const { port } = (await import("node:process")).env.TOY_PORT ? { port: Number(process.env.TOY_PORT) } : {};
const outputs = program.run({ runId: config.require("runId"), box: config.require("box"), bricks: 3, port });
export const { cluster, run, lake, bill, ceiling } = outputs;
export const box = outputs.box;
export { port };
`,
  );
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run(`COPY (SELECT 7 AS x, 'a' AS label) TO '${join(box, "points.parquet")}' (FORMAT parquet)`);
  writeFileSync(join(home, "browser"), `#!/bin/sh\necho "$1" >> '${join(home, "opened")}'\n`, { mode: 0o755 });
  env = {
    ...process.env,
    ...Object.fromEntries(UNSET.map((name) => [name, undefined])),
    PATH: [join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter),
    PULUMI_BACKEND_URL: `file://${join(home, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    NO_COLOR: "1",
    BROWSER: join(home, "browser"),
    TOY_PORT: String((page.address() as AddressInfo).port),
  };
  const set = (key: string, value: string) => pulumi("config", "set", key, value, "--stack", "toy");
  await pulumi("stack", "init", "toy");
  await set("toy:owner", "me");
  await set("oneoff:box", box);
}, 240_000);
afterAll(() => {
  page.close();
  page.closeAllConnections();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(() => {
  for (const file of ["kept", "left/locked"]) rmSync(join(box, file), { force: true });
});

const ended = (cwd: string, command: string, args: readonly string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    const child = execFile(command, args, { cwd, env }, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, output: out + err }),
    );
  });
const pulumi = (...args: readonly string[]) => ended(project, "pulumi", [...args, "--non-interactive"]);
const CLI = () => join(modules, "pulumi-oneoff/dist/cli/main.js");
const oneoff = (...args: readonly string[]) => ended(project, process.execPath, [CLI(), ...args]);
const outside = (...args: readonly string[]) => ended(empty, process.execPath, [CLI(), ...args]);

test("its program is known, and what it costs by whose prices", async () => {
  expect((await outside("settings", "toy")).output).toContain("| `oneoff:bricks` | `3` ");
  const { code, output } = await outside("cost", "toy", "--set", "bricks=10");
  expect(code).toBe(0);
  expect(output.split("\n")).toEqual([
    expect.stringMatching(/^what +USD\/h +hours +USD$/),
    expect.stringMatching(/^10 bricks of somebody +1\.000 +2 +2\.00$/),
    "",
    "At most 2.00 USD, by Toyland's list prices of 1889-11-01, without tax and free tier.",
    "",
  ]);
});

test("doctor asks its platform, with what its kind adds, and not for what only this machine's cluster needs", async () => {
  const { code, output } = await outside("doctor", "toy");
  expect(code).toBe(1);
  const rows = output.split("\n");
  expect(rows).toContainEqual(expect.stringMatching(/^ok +settings +1 thing costs money, at most 0\.60 USD$/));
  expect(rows).toContainEqual(expect.stringMatching(/^missing +box +1 cluster of wood in \/nowhere\/box$/));
  expect(rows).toContainEqual("         Buy one.");
  expect(output).not.toMatch(/Java|PySpark|AWS|Google|Docker/);
});

test("a run is started and followed to its end; get writes its table, watch tells of it again", async () => {
  const { code, output } = await oneoff("run", "toy", "--id", "a", "--yes");
  // On a busy machine it may be over before it is looked at.
  expect(output).toMatch(/^\[\d+ s, about 0\.00 USD so far\] stack: (bricks [123]\/3|succeeded)$/m);
  expect(output).toMatch(/^Run a of build succeeded after \d+ s, for about 0\.00 USD\.$/m);
  expect(output).toContain(`The dashboard fills in while the run goes on: http://127.0.0.1:${env.TOY_PORT}\n`);
  expect(code).toBe(0);
  expect(await oneoff("get", "points", "--stack", "toy")).toEqual({ code: 0, output: "x,label\n7,a\n" });
  expect(await oneoff("get", "lines", "--stack", "toy", "--run", "a")).toEqual({
    code: 6,
    output: `oneoff: run a has no table lines in ${join(box, "lake")}: there is points\n`,
  });
  const watched = await oneoff("watch", "toy");
  expect(watched.output.split("\n").slice(0, 2)).toEqual([
    `Dashboard  http://127.0.0.1:${env.TOY_PORT}`,
    "Bricks     npx --no oneoff open toy --ui bricks",
  ]);
  expect(watched.output).toContain("stack | [oneoff] bricks 3/3\n");
  expect(watched.code).toBe(0);
});

test("another run is refused where it is there already, or machines are kept", async () => {
  expect(await oneoff("run", "toy", "--id", "a")).toEqual({
    code: 2,
    output: 'oneoff: --id is "a": that run is there already; choose another id\n',
  });
  writeFileSync(join(box, "kept"), "");
  expect((await oneoff("run", "toy", "--id", "b")).output).toContain('oneoff: the cluster of run "a" is kept alive');
});

test("machines that break end their run, and what they said is shown", async () => {
  writeFileSync(join(box, "broken-b"), "a brick broke");
  const { code, output } = await oneoff("run", "toy", "--id", "b", "--yes");
  expect(code).toBe(1);
  expect(output).toContain("The last lines of step stack:\n  [oneoff] bricks 1/3\n");
  expect(output).toMatch(/^Run b of build failed after \d+ s, for about 0\.00 USD: a brick broke$/m);
});

test("its pages open: one at its address, one through a connection of the command's", async () => {
  const url = `http://127.0.0.1:${env.TOY_PORT}`;
  expect(await oneoff("open", "toy")).toEqual({ code: 0, output: `Dashboard: ${url}\n` });
  expect((await oneoff("open", "toy", "--ui", "spark")).output).toContain(
    'oneoff: --ui is "spark", and stack toy has no such page: it has bricks',
  );
  const port = await freePort();
  const child: ChildProcess = spawn(process.execPath, [CLI(), "open", "toy", "--ui", "bricks", "--port", `${port}`], {
    ...{ cwd: project, env, stdio: ["ignore", "pipe", "inherit"] },
  });
  let text = "";
  child.stdout?.on("data", (chunk) => (text += chunk));
  await expect.poll(() => text).toBe(`Bricks: http://127.0.0.1:${port}\nCtrl-C closes the connection.\n`);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("a page of bricks");
  child.kill("SIGINT");
  expect((await once(child, "exit"))[0]).toBe(0);
  await expect.poll(() => readFileSync(join(home, "opened"), "utf8")).toBe(`${url}\nhttp://127.0.0.1:${port}\n`);
});

test("leftovers are looked for, told and removed; what its platform refuses is told as its own", async () => {
  mkdirSync(join(box, "left"));
  for (const brick of ["red", "blue"]) writeFileSync(join(box, "left", brick), "");
  const found = await oneoff("leftovers", "toy");
  expect(found.code).toBe(1);
  expect(found.output).toBe(
    `brick                       blue\nbrick                       red\n2 things are left of stack toy in ${box} (lake lake); "npx --no oneoff leftovers toy --delete" removes them.\n`,
  );
  const removed = await oneoff("leftovers", "toy", "--delete", "--yes", "--lake", "lake");
  expect(removed).toEqual({ code: 0, output: expect.stringContaining("brick red is removed.\n") });
  expect((await oneoff("leftovers", "toy")).output).toBe(`Nothing is left of stack toy in ${box}.\n`);
  writeFileSync(join(box, "left/locked"), "");
  expect(await oneoff("leftovers", "toy")).toEqual({ code: 4, output: "oneoff: Toyland says: the box is locked\n" });
  expect((await oneoff("leftovers", "--help")).output).toContain("Toyland");
  expect((await oneoff("leftovers", "toy", "--yes")).output).toBe(
    "oneoff: --yes is for --delete, which removes what is left: give both\n",
  );
});
