/** How a fleet's machines and pages are reached: files for the real ssh, a plugin and an ssh that check what they are told. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { stayConnected } from "../../cli/connect.ts";
import type { Route, Tunnel } from "../../cli/platform.ts";
import { attach } from "../../cli/registry.ts";
import { freePort } from "../free-port.ts";
import { type Moto, startMoto } from "../moto.ts";
import { contextOf, exported } from "./attached.ts";
import { ago, keys, machine, makeLake, OUTPUTS, put, report, reports } from "./fleet-on-aws.ts";
import { type Front, startFront } from "./front.ts";
import { oneoff } from "./in-process.ts";

const CLI = fileURLToPath(new URL("../../cli/oneoff.mjs", import.meta.url));
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIRUyJrVC9EQQFNrgzWQTlv3Ly2RmDqNqN7Nw1jvYuwu";

/** Says what it was told, and answers what it reads in capitals, until that ends. */
const PLUGIN = `#!${process.execPath}
if (process.argv[2] === "--version") { console.log("1.2.650.0"); process.exit(); }
const { appendFileSync } = require("node:fs");
appendFileSync(process.env.STUB_LOG, JSON.stringify({ args: process.argv.slice(2), response: process.env.AWS_SSM_START_SESSION_RESPONSE }) + "\\n");
process.stdin.on("data", (data) => process.stdout.write(String(data).toUpperCase()));
`;

/** Has a token to tell, and forwards a port to STUB_PORT; or refuses, as STUB_SSH says. */
const SSH = `#!${process.execPath}
const { appendFileSync } = require("node:fs");
const { connect, createServer } = require("node:net");
const words = process.argv.slice(2);
appendFileSync(process.env.STUB_LOG, JSON.stringify(words) + "\\n");
if (process.env.STUB_SSH) { console.error(process.env.STUB_SSH); process.exit(255); }
const forward = words[words.indexOf("-L") + 1];
if (!words.includes("-L")) { console.log("t0ken"); process.exit(); }
createServer((socket) => {
  const far = connect(Number(process.env.STUB_PORT), "127.0.0.1");
  for (const end of [socket, far]) end.on("error", () => { socket.destroy(); far.destroy(); });
  socket.pipe(far).pipe(socket);
}).listen(Number(forward.split(":")[1]), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;

let outputs: Record<string, unknown> = OUTPUTS;
let moto: Moto;
let front: Front;
let page: Server;
let folder: string;
let head: string;
let data: string;
const cwd = process.cwd();
const { PATH } = process.env;

vi.mock(import("../../cli/pulumi.ts"), async (original) => {
  const real = await original();
  const outputsOf = async (stack: string) => real.outputsIn(exported(outputs), stack);
  const pulumiText = async (args: readonly string[]) => (args === real.STATE ? exported(outputs) : "team");
  return { ...real, outputsOf, pulumiText, ensureStack: async () => {} };
});

beforeAll(async () => {
  moto = await startMoto();
  front = await startFront(moto.url);
  process.env.AWS_ENDPOINT_URL = front.url;
  page = createServer((_, response) => response.end("{}")).listen(0, "127.0.0.1");
  await once(page, "listening");
  await makeLake();
  [head, data] = [(await machine("head")).id, (await machine("data")).id];
}, 60_000);
afterAll(() => {
  page.close();
  page.closeAllConnections();
  front.close();
  moto.close();
});
beforeEach(async () => {
  front.reset();
  folder = mkdtempSync(join(tmpdir(), "oneoff-ssh-"));
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin", "session-manager-plugin"), PLUGIN, { mode: 0o755 });
  writeFileSync(join(folder, "Pulumi.yaml"), "name: oneoff\nruntime: nodejs\nmain: engine/program.mjs\n");
  process.chdir(folder);
  vi.stubEnv("PULUMI_BACKEND_URL", "file:///where/stacks/are");
  vi.stubEnv("PULUMI_STACK", "team");
  vi.stubEnv("PATH", [join(folder, "bin"), PATH].join(delimiter));
  vi.stubEnv("STUB_LOG", join(folder, "log"));
  vi.stubEnv("STUB_PORT", String((page.address() as AddressInfo).port));
  outputs = OUTPUTS;
  await users("ada", "bob");
  await reports(
    report("head", "head", head, {
      hostKeys: [KEY, "ssh-rsa AAAA\n* ssh-rsa AAAA"],
      notebooks: [{ user: "ada", port: 8889 }],
      pages: { spark: "10.84.0.10:8080", hdfs: "10.84.0.10:9870", app: "10.84.0.10:8000" },
    }),
    report("data-1", "data", data, { hostKeys: [`${KEY} root@data-1`] }),
  );
});
afterEach(() => {
  front.reset();
  process.chdir(cwd);
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const users = (...names: readonly string[]) =>
  put(keys.users, { fleet: "fleet", users: names.map((name) => ({ name, keys: [KEY] })) });
const logged = () =>
  readFileSync(join(folder, "log"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const config = () => join(folder, ".oneoff", "ssh", "team", "config");
/** What the real ssh makes of the file. */
function asSshReads(host: string, file = config()): Readonly<Record<string, string>> {
  const text = execFileSync("/usr/bin/ssh", ["-G", "-T", "-F", file, host], { encoding: "utf8" });
  return Object.fromEntries(text.split("\n").map((line) => /^(\S+) ?(.*)$/.exec(line)?.slice(1) ?? []));
}

test("fleet ssh writes what the real ssh reads: a host per machine, its key, and this command to carry it", async () => {
  const credentials = join(folder, "credentials");
  writeFileSync(credentials, "[it's 100%]\naws_access_key_id = testing\naws_secret_access_key = testing\n");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", credentials);
  for (const own of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) vi.stubEnv(own, undefined);
  vi.stubEnv("AWS_PROFILE", "it's 100%");
  const { code, out, err } = await oneoff("fleet", "ssh", "--user", "bob");
  expect([code, err]).toEqual([0, ""]);
  expect(out).toBe(
    [
      "As bob: head, data-1.",
      `  ssh -F ${config()} head`,
      `  scp -F ${config()} FILE head:`,
      "A machine that comes later is there once this was given again.",
      "",
    ].join("\n"),
  );
  expect(asSshReads("head")).toMatchObject({
    ...{ user: "bob", hostname: head, hostkeyalias: head, stricthostkeychecking: "true" },
    userknownhostsfile: join(folder, ".oneoff", "ssh", "team", "known_hosts"),
    // "%" is doubled for ssh.
    proxycommand: `env 'AWS_PROFILE=it'\\''s 100%%' '${process.execPath}' '${CLI}' 'fleet' 'ssh' '--proxy' aws:us-west-2/%h`,
  });
  expect(asSshReads("data-1")).toMatchObject({ hostname: data, user: "bob" });
  const known = join(folder, ".oneoff", "ssh", "team", "known_hosts");
  // A line break in a key would be another machine's line.
  expect(readFileSync(known, "utf8")).toBe(`${head} ${KEY}\n${data} ${KEY}\n`);
  expect([config(), known].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
});

test("whose account it is: who was named last, else whoever is here, else the only one", async () => {
  const ssh = async (...words: readonly string[]) => {
    const { out, err } = await oneoff("fleet", "ssh", ...words);
    return err || out.split(":")[0];
  };
  expect(await ssh()).toBe(
    'oneoff: whose account is meant can\'t be told, and there are ada, bob: name one, once, by "oneoff fleet ssh --user NAME"\n',
  );
  expect(await ssh("--user", "eve")).toBe(
    'oneoff: --user is "eve": there are ada, bob; "oneoff fleet users add" lets somebody in\n',
  );
  expect(await ssh("--user", "bob")).toBe("As bob");
  expect(await ssh()).toBe("As bob");
  await users("ada");
  expect(await ssh()).toBe("As ada");
  await users();
  expect(await ssh()).toContain('nobody may enter the fleet yet: "oneoff fleet users add FILE NAME"');
});

test("a colleague without this command has the AWS CLI carry the connection, by two files to hand over", async () => {
  await oneoff("fleet", "ssh", "--user", "bob");
  const own = readFileSync(config(), "utf8");
  const folderOfAda = join(folder, ".oneoff", "ssh", "team", "ada");
  const theirs = join(folderOfAda, "config");
  expect((await oneoff("fleet", "ssh", "--user", "ada", "--aws-cli")).out).toBe(
    `For ada: ${theirs}, and ${join(folderOfAda, "known_hosts")}, which is to be their ~/.ssh/known_hosts.team.\n`,
  );
  expect(asSshReads("head", theirs)).toMatchObject({
    user: "ada",
    userknownhostsfile: expect.stringMatching(/^\/.*\/\.ssh\/known_hosts\.team$/), // in the home of whoever reads it
    proxycommand:
      "aws ssm start-session --region us-west-2 --target %h --document-name AWS-StartSSHSession --parameters portNumber=%p",
  });
  expect(readFileSync(config(), "utf8")).toBe(own);
});

test("what ssh asks for carries bytes both ways through a session of Session Manager, and ends it", async () => {
  front.answer("StartSession", () => ({ SessionId: "oneoff-1", TokenValue: "hush", StreamUrl: "wss://stream" }));
  front.answer("TerminateSession", () => ({ SessionId: "oneoff-1" }));
  const child = spawn(process.execPath, [CLI, "fleet", "ssh", "--proxy", `aws:us-west-2/${head}`]);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  child.stdin.end("SSH-2.0-a client\r\n");
  const [code] = await once(child, "close");
  expect([code, said]).toEqual([0, "SSH-2.0-A CLIENT\r\n"]);
  const request = { Target: head, DocumentName: "AWS-StartSSHSession", Parameters: { portNumber: ["22"] } };
  expect(front.asked.filter(({ operation }) => operation.endsWith("Session"))).toEqual([
    { operation: "StartSession", input: request },
    { operation: "TerminateSession", input: { SessionId: "oneoff-1" } },
  ]);
  const [{ args, response }] = logged();
  expect(args.slice(0, 4)).toEqual(["AWS_SSM_START_SESSION_RESPONSE", "us-west-2", "StartSession", ""]);
  expect(JSON.parse(args[4])).toEqual(request);
  expect(JSON.parse(response)).toMatchObject({ TokenValue: "hush" });
}, 60_000);

test("without the plugin, or to a machine that isn't there, it is said why", async () => {
  rmSync(join(folder, "bin", "session-manager-plugin"));
  const carry = (place: string, env = process.env) =>
    promisify(execFile)(process.execPath, [CLI, "fleet", "ssh", "--proxy", place], { env }).catch((error) => error);
  const nothing = { ...process.env, PATH: join(folder, "bin") };
  expect((await carry(`aws:us-west-2/${head}`, nothing)).stderr).toMatch(
    /^oneoff: session-manager-plugin is not on PATH: install it: https:/,
  );
  expect((await carry("gcp:here")).stderr).toContain('--proxy is gcp:here: expected what "oneoff fleet ssh" writes');
}, 60_000);

const route = async (name: string): Promise<Route> => (await attach(contextOf("team", outputs))).route(name);
const stubSsh = () => writeFileSync(join(folder, "bin", "ssh"), SSH, { mode: 0o755 });

test("a page opens by ssh through the head, JupyterLab with its user's token for the browser alone", async () => {
  stubSsh();
  await oneoff("fleet", "ssh", "--user", "ada");
  const printed: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line) => void printed.push(line));
  writeFileSync(join(folder, "browse"), `#!/bin/sh\necho "$1" > '${join(folder, "browser")}'\n`, { mode: 0o755 });
  vi.stubEnv("BROWSER", join(folder, "browse"));
  const open = async (name: string) => {
    const found = await route(name);
    const stop = new AbortController();
    const port = await freePort();
    const times = { place: 2000, look: 20, quiet: 2000, pause: 20 };
    const done = stayConnected(found, found.tunnel as Tunnel, port, stop.signal, times);
    await expect.poll(() => printed.at(-1)).toBe("Ctrl-C closes the connection.");
    stop.abort("SIGINT");
    await done;
    return port;
  };
  const port = await open("jupyter");
  expect(printed).toEqual([
    `JupyterLab: http://127.0.0.1:${port}/lab`,
    "The browser gets the token of ada, which is in ~/.oneoff/notebook-token there.",
    "Ctrl-C closes the connection.",
  ]);
  await expect
    .poll(() => readFileSync(join(folder, "browser"), "utf8"))
    .toBe(`http://127.0.0.1:${port}/lab?token=t0ken\n`);
  const [token, tunnel] = logged();
  expect(token).toEqual(["-F", config(), "head", "cat ~/.oneoff/notebook-token"]);
  expect(tunnel.slice(0, 4)).toEqual(["-N", "-T", "-L", `127.0.0.1:${port}:127.0.0.1:8889`]);
  expect(tunnel.slice(-3)).toEqual(["-F", config(), "head"]);
  printed.length = 0;
  const hdfs = await open("hdfs");
  expect(printed[0]).toBe(`HDFS: http://127.0.0.1:${hdfs}`);
  expect(logged().at(-1)).toContain(`127.0.0.1:${hdfs}:10.84.0.10:9870`);
  outputs = { ...OUTPUTS, app: "http://10.84.0.10:8000/" };
  printed.length = 0;
  const app = await open("app");
  expect(logged().at(-1)).toContain(`127.0.0.1:${app}:10.84.0.10:8000`);
});

test("a page that isn't there, a user without one, and whom ssh doesn't let in are told of", async () => {
  stubSsh();
  await oneoff("fleet", "ssh", "--user", "bob");
  await expect(route("jupyter")).rejects.toThrow("bob has no JupyterLab on the fleet of stack team: it comes a minute");
  await expect(route("app")).rejects.toThrow("stack team has no Scoring: oneoff:app decides about it");
  await expect(route("yarn")).rejects.toThrow("stack team has no YARN: oneoff:scheduler decides about it");
  await expect(route("history")).rejects.toThrow("the fleet of stack team has no page history just now");
  const tunnel = (await route("hdfs")).tunnel as Tunnel;
  expect(tunnel.whyNever?.("bob@i-1: Permission denied (publickey)", true)?.message).toBe(
    `bob@i-1: Permission denied (publickey): "ssh -F ${config()} head" must work without a question, with the key that "npx --no oneoff fleet users list team" shows of bob`,
  );
  expect(tunnel.whyNever?.("Connection timed out", true)).toBeUndefined();
  await oneoff("fleet", "ssh", "--user", "ada");
  vi.stubEnv("STUB_SSH", "ada@i-1: Permission denied (publickey).");
  await expect(route("jupyter")).rejects.toThrow("lets nobody in: ada@i-1: Permission denied (publickey)");
  await reports(report("head", "head", head, { reported: ago(600) }));
  await expect(route("spark")).rejects.toThrow("the fleet's head sent no word for 10 minutes");
  await expect(route("dashboard")).rejects.toThrow("stack team has no dashboard");
  vi.stubEnv("PATH", "/nowhere");
  await expect(route("spark")).rejects.toThrow("session-manager-plugin is not on PATH");
});
