/** `oneoff open` for a stack on Google Cloud: the real command, a scripted API, a gcloud that speaks and forwards as the real one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { stayConnected } from "../../cli/connect.ts";
import { Google } from "../../cli/gcp/client.ts";
import { dashboardRoute } from "../../cli/gcp/dashboard.ts";
import { whyNever } from "../../cli/gcp/gcloud.ts";
import type { Tunnel } from "../../cli/platform.ts";
import { freePort } from "../free-port.ts";
import { type FakeApi, type Route, refusal, startApi } from "../google/api.ts";
import { processesOf } from "../project.ts";
import { type StackInCloud, stackInCloud } from "./stack.ts";

const STACK = "dataproc";
const CLI = fileURLToPath(new URL("../../cli/oneoff.mjs", import.meta.url));

/**
 * Tests the connection first, as gcloud does: it fails with what file STUB_LOG.fails says, else listens and forwards to the
 * port that STUB_TARGET names. Ends when there is a file STUB_LOG.end.
 */
const GCLOUD = `#!${process.execPath}
const { appendFileSync, existsSync, readFileSync } = require("node:fs");
const { connect, createServer } = require("node:net");
if (process.argv[2] === "--version") { console.log("Google Cloud SDK 541.0.0\\nbq 2.1.24"); process.exit(); }
const log = process.env.STUB_LOG;
appendFileSync(log, JSON.stringify({ args: process.argv.slice(2), prompts: process.env.CLOUDSDK_CORE_DISABLE_PROMPTS }) + "\\n");
console.error("Testing if tunnel connection works.");
if (existsSync(log + ".fails")) { console.error(readFileSync(log + ".fails", "utf8")); process.exit(1); }
const [, port] = /127\\.0\\.0\\.1:(\\d+)$/.exec(process.argv.find((arg) => arg.startsWith("--local-host-port")));
const server = createServer((socket) => {
  const far = connect(Number(process.env.STUB_TARGET), "127.0.0.1");
  for (const end of [socket, far]) end.on("error", () => { socket.destroy(); far.destroy(); });
  socket.pipe(far).pipe(socket);
}).listen(Number(port), "127.0.0.1", () => console.error("Listening on port [" + server.address().port + "]."));
setInterval(() => { if (existsSync(log + ".end")) { console.error("ERROR: (gcloud.compute.start-iap-tunnel) Tunnel closed."); process.exit(1); } }, 50);
`;

const UNREACHED =
  "ERROR: (gcloud.compute.start-iap-tunnel) While checking if a connection can be made: Error while connecting [4003: 'failed to connect to backend']. (Failed to connect to port 8765)";
const REFUSED = "ERROR: (gcloud.compute.start-iap-tunnel) Error while connecting [4033: 'not authorized'].";

let api: FakeApi;
let stack: StackInCloud;
let folder: string;
let page: Server;
const fails = (text: string) => writeFileSync(join(folder, "log.fails"), text);
const opened = () => (existsSync(join(folder, "browser")) ? readFileSync(join(folder, "browser"), "utf8").trim() : "");
const tunnels = () =>
  existsSync(join(folder, "log"))
    ? readFileSync(join(folder, "log"), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
    : [];

const INSTANCE = /^GET \/compute\/v1\/projects\/test-project\/zones\/europe-west1-b\/instances\/oneoff-dashboard$/;
const instance = (body: object): Route => [INSTANCE, { body }];

const OUTPUTS = {
  cluster: "dataproc",
  run: "r1",
  mode: "workflow",
  project: "test-project",
  region: "europe-west1",
  lake: "gs://lake",
  orchestrator: "oneoff-1a2b3c4d",
  dashboard: `npx --no oneoff open ${STACK}`,
  dashboardInstance: "oneoff-dashboard",
  dashboardZone: "europe-west1-b",
  dashboardDeadline: "7 days",
};

beforeAll(async () => {
  api = await startApi();
  page = createServer((request, response) => {
    response.writeHead(request.url === "/api/identity" ? 200 : 404).end("{}");
  }).listen(0, "127.0.0.1");
  await once(page, "listening");
  const endpoints = ["compute", "dataproc"].map((name) => [
    `CLOUDSDK_API_ENDPOINT_OVERRIDES_${name.toUpperCase()}`,
    api.url,
  ]);
  stack = await stackInCloud(STACK, {}, { ...api.env, ...Object.fromEntries(endpoints) }, OUTPUTS);
});
afterAll(() => {
  stack.remove();
  page.close();
  page.closeAllConnections();
  api.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-open-"));
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin", "gcloud"), GCLOUD, { mode: 0o755 });
  writeFileSync(join(folder, "open"), `#!/bin/sh\necho "$1" >> '${join(folder, "browser")}'\n`, { mode: 0o755 });
  api.routes = [instance({ status: "RUNNING" })];
});

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [CLI, "open", STACK, ...args], {
    cwd: stack.folder,
    env: {
      ...stack.env,
      PATH: [join(folder, "bin"), stack.env.PATH].join(delimiter),
      BROWSER: join(folder, "open"),
      STUB_LOG: join(folder, "log"),
      STUB_TARGET: String((page.address() as AddressInfo).port),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (text += chunk));
  const exited = once(child, "exit");
  return {
    child,
    text: () => text,
    async until(what: RegExp | string, patienceMs = 60_000) {
      for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(30)) {
        if (typeof what === "string" ? text.includes(what) : what.test(text)) return;
        if (child.exitCode !== null) break;
      }
      throw new Error(`it did not print ${what} but:\n${text}`);
    },
    end: async () => (await exited)[0] as number | null,
  };
}

test("the dashboard opens through a tunnel of its own, on a free port, until Ctrl-C; nothing of gcloud stays", async () => {
  const taken = createServer()
    .listen(8765, "127.0.0.1")
    .on("error", () => {}); // by another program already
  const open = run([]);
  await open.until(/Dashboard: http:\/\/127\.0\.0\.1:\d+\nCtrl-C closes the connection\./);
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(open.text())?.[1]);
  expect(port).not.toBe(8765);
  expect((await fetch(`http://127.0.0.1:${port}/api/identity`)).status).toBe(200);
  const args = ["compute", "start-iap-tunnel", "oneoff-dashboard", "8765", `--local-host-port=127.0.0.1:${port}`];
  expect(tunnels()).toEqual([
    { args: [...args, "--zone", "europe-west1-b", "--project", "test-project"], prompts: "1" },
  ]);
  await expect.poll(opened).toBe(`http://127.0.0.1:${port}`);
  open.child.kill("SIGINT");
  expect(await open.end()).toBe(0);
  await expect(fetch(`http://127.0.0.1:${port}/api/identity`)).rejects.toThrow();
  expect(processesOf(join(folder, "bin"))).toEqual([]);
  taken.close();
});

test("a tunnel that ends is followed by another on the same port", async () => {
  const port = await freePort();
  const open = run(["--port", `${port}`]);
  await open.until(`Dashboard: http://127.0.0.1:${port}`);
  writeFileSync(join(folder, "log.end"), "");
  await open.until(
    "The connection has ended (ERROR: (gcloud.compute.start-iap-tunnel) Tunnel closed.); connecting again",
  );
  rmSync(join(folder, "log.end"));
  await open.until("It is connected again.");
  expect(tunnels().every(({ args }) => args[4] === `--local-host-port=127.0.0.1:${port}`)).toBe(true);
  open.child.kill("SIGTERM");
  expect(await open.end()).toBe(0);
  await expect.poll(opened).toBe(`http://127.0.0.1:${port}`); // once
});

test("an instance that boots is waited for, and what it is at is said", async () => {
  fails(UNREACHED);
  api.routes = [instance({ status: "STAGING" })];
  const open = run([]);
  await open.until(
    `Waiting for oneoff-dashboard: the instance is starting, and its page doesn't answer yet (${UNREACHED}) (`,
  );
  api.routes = [instance({ status: "RUNNING" })];
  rmSync(join(folder, "log.fails"));
  await open.until("Dashboard: http://127.0.0.1:");
  open.child.kill("SIGINT");
  expect(await open.end()).toBe(0);
});

test("a page that doesn't answer through the tunnel yet is waited for; who waits can stop", async () => {
  const open = run([], { STUB_TARGET: "1" });
  await open.until(/Waiting for oneoff-dashboard: it is connected, and its page doesn't answer yet \(\d+ s\)/);
  open.child.kill("SIGTERM");
  expect(await open.end()).toBe(0);
  expect(opened()).toBe("");
});

test("one that never answers is given up, with what shows why", async () => {
  vi.stubEnv("PATH", [join(folder, "bin"), process.env.PATH].join(delimiter));
  vi.stubEnv("STUB_LOG", join(folder, "log"));
  fails(UNREACHED);
  try {
    const route = await dashboardRoute(new Google(), { name: STACK, ...OUTPUTS });
    const tunnel = { ...(route.tunnel as Tunnel), patienceMs: 10_000, state: async () => "the instance is running" };
    const waiting = stayConnected(route, tunnel, await freePort(), new AbortController().signal);
    await expect(waiting).rejects.toThrow(
      `Dashboard didn't answer within 10 s: ${UNREACHED}; what its instance printed is to be had by "gcloud compute instances get-serial-port-output oneoff-dashboard --zone europe-west1-b --project test-project"`,
    );
  } finally {
    vi.unstubAllEnvs();
  }
});

test("what will never answer is told with what to do about it", async () => {
  const told = async () => {
    const open = run([]);
    expect(await open.end()).toBe(2);
    return open.text();
  };
  const start = '"gcloud compute instances start oneoff-dashboard --zone europe-west1-b --project test-project"';
  api.routes = [
    instance({
      status: "TERMINATED",
      lastStartTimestamp: "2026-01-01T00:00:00.000-08:00",
      lastStopTimestamp: "2026-01-08T00:00:00.000-08:00",
    }),
  ];
  expect(await told()).toBe(
    `oneoff: the dashboard's instance oneoff-dashboard was stopped at its deadline of 7 d: start it, for another 7 d, with ${start}\n`,
  );
  api.routes = [instance({ status: "STOPPING" })];
  expect(await told()).toContain(`is stopped: start it, for another 7 d, with ${start}`);
  api.routes = [];
  expect(await told()).toBe(
    'oneoff: the dashboard\'s instance oneoff-dashboard is no more: "npx pulumi up --refresh --stack dataproc" makes another, and the results are still in the lake\n',
  );
  expect(tunnels()).toEqual([]);
  api.routes = [[INSTANCE, refusal(403, "Required 'compute.instances.get' permission", "PERMISSION_DENIED")]];
  fails(REFUSED);
  expect(await told()).toBe(
    `oneoff: Google doesn't let you through to instance oneoff-dashboard: ask for role roles/iap.tunnelResourceAccessor, by "gcloud projects add-iam-policy-binding test-project --member user:YOU --role roles/iap.tunnelResourceAccessor" (${REFUSED})\n`,
  );
  rmSync(join(folder, "bin", "gcloud"));
  writeFileSync(join(folder, "bin", "node"), `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
  const without = run([], { PATH: [join(folder, "bin"), join(process.cwd(), "node_modules/.bin")].join(delimiter) });
  expect(await without.end()).toBe(2);
  expect(without.text()).toBe(
    "oneoff: gcloud is not on PATH, and it leads to the dashboard: install it: https://cloud.google.com/sdk/docs/install\n",
  );
});

test.each([
  [
    "ERROR: (gcloud.compute.start-iap-tunnel) You do not currently have an active account selected.",
    "gcloud auth login",
  ],
  [
    "ERROR: (gcloud.compute.start-iap-tunnel) There was a problem refreshing your current auth tokens",
    "gcloud auth login",
  ],
  [
    'ERROR: Error while connecting [4054: "Request is prohibited by organization\'s policy"]',
    "a policy of the organization",
  ],
  [
    "ERROR: Cloud IAP API has not been used in project 7 before or it is disabled.",
    "gcloud services enable iap.googleapis.com",
  ],
  [UNREACHED, undefined],
  ["ERROR: Error while connecting [4047: 'Failed to lookup instance'].", undefined],
])("what gcloud says tells whether it is worth trying again (%#)", (problem, cure) => {
  const never = whyNever(problem, { name: "i", zone: "z", project: "p" });
  if (cure === undefined) expect(never).toBeUndefined();
  else expect(never?.message).toContain(cure);
});

test("--ui opens a page behind the component gateway, and lists what there is", async () => {
  const told = async (...args: readonly string[]) => {
    const open = run(args);
    await open.end();
    return open.text();
  };
  expect(await told("--ui", "yarn")).toContain('--ui is "yarn", and only a cluster that stays has pages of its own');
  expect(await told("--ui", "mongo")).toContain(
    'oneoff: --ui is "mongo", and stack dataproc has no such page: it has spark, yarn, hdfs and jupyter',
  );
  await stack.setOutputs({ ...OUTPUTS, mode: "cluster", clusterName: "c1" });
  const httpPorts = { "YARN ResourceManager": "https://x.example/yarn/", JupyterLab: "https://x.example/lab/" };
  const config = { endpointConfig: { httpPorts } };
  api.routes = [[/clusters\/c1$/, { body: { clusterName: "c1", status: { state: "RUNNING" }, config } }]];
  expect(await told("--ui", "jupyter")).toBe("JupyterLab: https://x.example/lab/\n");
  await expect.poll(opened).toBe("https://x.example/lab/");
  expect(await told("--ui", "spark")).toContain(
    "the component gateway of cluster c1 has no such page: it has YARN ResourceManager, JupyterLab",
  );
  api.routes = [];
  expect(await told("--ui", "yarn")).toContain("cluster c1 has ended, and its own pages with it");
});
