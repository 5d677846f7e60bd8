/** What the dashboard's image is built from: the bundle runs with DuckDB beside it and nothing else. */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildBundles } from "../../engine/bundles.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SOURCE = join(ROOT, "assets/images/dashboard");
const PACKAGES = ["@duckdb", "detect-libc"];
const folder = mkdtempSync(join(tmpdir(), "oneoff-dashboard-image-"));
const context = join(folder, "dashboard-image");

beforeAll(async () => {
  await buildBundles(folder);
  for (const name of PACKAGES) {
    cpSync(join(ROOT, "node_modules", name), join(context, "node_modules", name), { recursive: true });
  }
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

test("the context has what the Dockerfile copies, and nothing that changes without need", () => {
  const files = ["Dockerfile", "healthy", "index.mjs", "node_modules", "package-lock.json", "package.json", "page"];
  expect(readdirSync(context).sort()).toEqual([...files, "requirements.txt"]);
  expect(readdirSync(join(context, "page")).sort()).toEqual([
    "icon.svg",
    "index.html",
    "page.js",
    "style.css",
    "vega.js",
  ]);
});

test("the image has the DuckDB that this package has", () => {
  const [own, all] = [json(join(SOURCE, "package-lock.json")).packages, json(join(ROOT, "package-lock.json")).packages];
  const names = Object.keys(own).filter((name) => name !== "");
  expect(names).toContain("node_modules/@duckdb/node-bindings-linux-arm64");
  for (const name of names) expect(own[name], name).toEqual(all[name]);
  expect(own[""].dependencies).toEqual(json(join(SOURCE, "package.json")).dependencies);
});

test("it takes its configuration from the environment, and answers", { timeout: 30_000 }, async () => {
  const lake = join(folder, "lake");
  mkdirSync(lake);
  const job = {
    name: "toy",
    tables: [{ name: "t", about: "", columns: [{ name: "n", type: "integer" }] }],
    panels: [],
  };
  const config = { job, engine: { kind: "duckdb", lake }, port: 0, token: "t" };
  const env = { PATH: process.env.PATH, ONEOFF_DASHBOARD: JSON.stringify(config), ONEOFF_DASHBOARD_ADDRESS: "0.0.0.0" };
  const server = spawn(process.execPath, [join(context, "index.mjs")], { env, stdio: ["ignore", "inherit", "pipe"] });
  try {
    const url = await new Promise<string>((resolve, reject) => {
      server.once("exit", (code) => reject(new Error(`it ended with ${code}`)));
      createInterface(server.stderr).on("line", (line) => {
        const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(line);
        if (found) resolve(found[0]);
      });
    });
    expect(await (await fetch(`${url}api/identity`)).json()).toMatchObject({ name: "oneoff-dashboard", token: "t" });
    expect((await fetch(url)).headers.get("content-type")).toContain("text/html");
  } finally {
    server.removeAllListeners("exit");
    server.kill();
  }
});
