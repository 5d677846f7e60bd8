/** `oneoff open` for a stack on AWS: the real command against moto, a session-manager-plugin that checks what it is told. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { EC2Client, RunInstancesCommand, StopInstancesCommand, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { EMRClient, ListInstancesCommand, RunJobFlowCommand, TerminateJobFlowsCommand } from "@aws-sdk/client-emr";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { dashboardRoute } from "../../cli/aws/dashboard.ts";
import { takesEnvironment } from "../../cli/aws/session.ts";
import { stayConnected } from "../../cli/connect.ts";
import type { Tunnel } from "../../cli/platform.ts";
import { type Moto, startMoto } from "../moto.ts";
import { contextOf } from "./attached.ts";
import { type Front, Refusal, startFront } from "./front.ts";
import { STACK, type StackOnAws, stackOnAws } from "./stack.ts";

const BUCKET = "oneoff-emr-oneoff-lake-0a1b2c3d";
const CLI = fileURLToPath(new URL("../../cli/oneoff.mjs", import.meta.url));

/**
 * A plugin that writes down what it was given, and forwards to the port that STUB_TARGET names, or to what STUB_TARGETS
 * has for the place that was asked for: nothing listens elsewhere.
 */
const PLUGIN = `#!${process.execPath}
const { appendFileSync, existsSync } = require("node:fs");
const { connect, createServer } = require("node:net");
if (process.argv[2] === "--version") { console.log(process.env.STUB_VERSION ?? "1.2.650.0"); process.exit(); }
const args = process.argv.slice(2);
const response = process.env.AWS_SSM_START_SESSION_RESPONSE;
appendFileSync(process.env.STUB_LOG, JSON.stringify({ args, response, target: process.env.STUB_TARGET }) + "\\n");
const { Parameters } = JSON.parse(args[4]);
const local = Number(Parameters.localPortNumber[0]);
const place = [...(Parameters.host ?? []), Parameters.portNumber[0]].join(":");
const targets = process.env.STUB_TARGETS && JSON.parse(process.env.STUB_TARGETS);
createServer((socket) => {
  const far = connect(targets ? (targets[place] ?? 1) : Number(process.env.STUB_TARGET), "127.0.0.1");
  for (const end of [socket, far]) end.on("error", () => { socket.destroy(); far.destroy(); });
  socket.pipe(far).pipe(socket);
}).listen(local, "127.0.0.1", () => console.log("Waiting for connections..."));
setInterval(() => {
  if (existsSync(process.env.STUB_LOG + ".end." + process.pid) || existsSync(process.env.STUB_LOG + ".end")) {
    console.log("Session timed out"); process.exit(1);
  }
}, 50);
process.on("SIGTERM", () => process.exit(0));
`;

const PYTHON = fileURLToPath(new URL("../../.oneoff/venv/bin/python", import.meta.url));
/** Prints a key and a certificate as a cluster has them: signed by itself, for its own hosts. */
const SELF_SIGNED = `
from datetime import datetime, timedelta
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "*.us-west-2.compute.internal")])
now = datetime.now()
certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=2), now + timedelta(days=2))
pem = serialization.Encoding.PEM
form = serialization.PrivateFormat.PKCS8
print(key.private_bytes(pem, form, serialization.NoEncryption()).decode())
print(certificate.sign(key, hashes.SHA256()).public_bytes(pem).decode())
`;

let moto: Moto;
let front: Front;
let stack: StackOnAws;
let folder: string;
let page: Server;
let tlsPage: Server;
let ec2: EC2Client;
let instance: string;
let cluster: string;
let primary: string;
let primaryHost: string;
const opened = () => (existsSync(join(folder, "browser")) ? readFileSync(join(folder, "browser"), "utf8").trim() : "");
const sessions = () =>
  existsSync(join(folder, "log"))
    ? readFileSync(join(folder, "log"), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
    : [];

beforeAll(async () => {
  moto = await startMoto();
  front = await startFront(moto.url);
  process.env.AWS_ENDPOINT_URL = front.url;
  page = createServer((request, response) => {
    response.writeHead(request.url === "/api/identity" || request.url === "/" ? 200 : 404).end("{}");
  }).listen(0, "127.0.0.1");
  await once(page, "listening");
  const pem = execFileSync(PYTHON, ["-c", SELF_SIGNED], { encoding: "utf8" });
  tlsPage = createTlsServer({ key: pem, cert: pem }, (_, response) => response.end("{}")).listen(0, "127.0.0.1");
  await once(tlsPage, "listening");
  stack = await stackOnAws({ AWS_ENDPOINT_URL: front.url }, { cluster: "emr" });
}, 60_000);
afterAll(() => {
  stack.remove();
  for (const server of [page, tlsPage]) {
    server.close();
    server.closeAllConnections();
  }
  front.close();
  moto.close();
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-open-"));
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin", "session-manager-plugin"), PLUGIN, { mode: 0o755 });
  writeFileSync(join(folder, "open"), `#!/bin/sh\necho "$1" >> '${join(folder, "browser")}'\n`, { mode: 0o755 });
  await moto.reset();
  ec2 = new EC2Client({});
  const { Instances } = await ec2.send(new RunInstancesCommand({ MinCount: 1, MaxCount: 1, ImageId: "ami-12c6146b" }));
  instance = Instances?.[0]?.InstanceId as string;
  const flow = new RunJobFlowCommand({
    Name: "c",
    Instances: {
      KeepJobFlowAliveWhenNoSteps: true,
      InstanceGroups: [
        { InstanceRole: "MASTER", InstanceType: "m6g.xlarge", InstanceCount: 1 },
        { InstanceRole: "CORE", InstanceType: "m6g.xlarge", InstanceCount: 2 },
      ],
    },
  });
  cluster = (await new EMRClient({}).send(flow)).JobFlowId as string;
  const nodes = async (type: "MASTER" | "CORE") => {
    const list = new ListInstancesCommand({ ClusterId: cluster, InstanceGroupTypes: [type] });
    return (await new EMRClient({}).send(list)).Instances ?? [];
  };
  const [node] = await nodes("MASTER");
  primary = node?.Ec2InstanceId as string;
  primaryHost = node?.PrivateDnsName as string;
  expect(primaryHost).toMatch(/./);
  expect(await nodes("CORE")).toHaveLength(2);
  front.answer("StartSession", () => ({ SessionId: "oneoff-1", TokenValue: "hush", StreamUrl: "wss://stream" }));
  front.answer("TerminateSession", () => ({ SessionId: "oneoff-1" }));
});
afterEach(() => {
  front.reset();
  rmSync(folder, { recursive: true });
});

interface Running {
  readonly child: ChildProcess;
  text(): string;
  until(what: RegExp | string, patienceMs?: number): Promise<void>;
  end(): Promise<number | null>;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
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
    async until(what, patienceMs = 20_000) {
      for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(30)) {
        if (typeof what === "string" ? text.includes(what) : what.test(text)) return;
        if (child.exitCode !== null) break;
      }
      throw new Error(`it did not print ${what} but:\n${text}`);
    },
    async end() {
      const [code] = await exited;
      return code;
    },
  };
}

const outputs = (more: object = {}) =>
  stack.setOutputs({
    cluster: "emr",
    run: "1",
    lake: `s3://${BUCKET}`,
    region: "us-west-2",
    clusterId: cluster,
    keepAlive: false,
    dashboard: `npx --no oneoff open ${STACK}`,
    dashboardInstance: instance,
    dashboardDeadline: "7 days",
    ...more,
  });

test("the dashboard opens through a session of its own, on the next free port, until Ctrl-C", async () => {
  await outputs();
  const taken = createServer()
    .listen(8765, "127.0.0.1")
    .on("error", () => {}); // by another program already
  const open = run([]);
  await open.until(/Dashboard: http:\/\/127\.0\.0\.1:\d+\nCtrl-C closes the connection\./);
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(open.text())?.[1]);
  expect(port).toBeGreaterThan(8765);
  expect((await fetch(`http://127.0.0.1:${port}/api/identity`)).status).toBe(200);
  const [{ args, response }] = sessions();
  const request = {
    Target: instance,
    DocumentName: "AWS-StartPortForwardingSession",
    Parameters: { portNumber: ["8765"], localPortNumber: [String(port)] },
  };
  expect(args.slice(0, 4)).toEqual(["AWS_SSM_START_SESSION_RESPONSE", "us-west-2", "StartSession", ""]);
  expect(JSON.parse(args[4])).toEqual(request);
  expect(args.slice(5)).toEqual([front.url]);
  expect(JSON.parse(response)).toEqual({ SessionId: "oneoff-1", TokenValue: "hush", StreamUrl: "wss://stream" });
  expect(front.asked.filter(({ operation }) => operation === "StartSession").map(({ input }) => input)).toEqual([
    request,
  ]);
  await expect.poll(opened).toBe(`http://127.0.0.1:${port}`);

  open.child.kill("SIGINT");
  expect(await open.end()).toBe(0);
  expect(front.asked.at(-1)).toEqual({ operation: "TerminateSession", input: { SessionId: "oneoff-1" } });
  await expect(fetch(`http://127.0.0.1:${port}/api/identity`)).rejects.toThrow();
  taken.close();
}, 60_000);

test("an old plugin is told as it understands; a profile is passed on; a session that ends is followed by another", async () => {
  await outputs();
  const credentials = join(folder, "credentials");
  writeFileSync(credentials, "[work]\naws_access_key_id = testing\naws_secret_access_key = testing\n");
  const profile = { AWS_PROFILE: "work", AWS_SHARED_CREDENTIALS_FILE: credentials };
  const open = run(["--port", "18765"], { STUB_VERSION: "1.2.497.0", ...profile });
  await open.until("Dashboard: http://127.0.0.1:18765");
  expect(JSON.parse(sessions()[0].args[0])).toEqual({
    SessionId: "oneoff-1",
    TokenValue: "hush",
    StreamUrl: "wss://stream",
  });
  expect(sessions()[0].response).toBeUndefined();
  expect(sessions()[0].args[3]).toBe("work");
  writeFileSync(join(folder, "log.end"), "");
  await open.until("The connection has ended (Session timed out); connecting again");
  rmSync(join(folder, "log.end"));
  await open.until("It is connected again.");
  open.child.kill("SIGTERM");
  expect(await open.end()).toBe(0);
  await expect.poll(opened).toBe("http://127.0.0.1:18765"); // once
}, 60_000);

test("an instance that is still starting is waited for, and why is said", async () => {
  await outputs();
  let refusals = 1;
  front.answer("StartSession", () =>
    refusals-- > 0
      ? new Refusal("TargetNotConnected", `${instance} is not connected.`)
      : { SessionId: "oneoff-1", TokenValue: "hush", StreamUrl: "wss://stream" },
  );
  const open = run([]);
  await open.until(
    `Waiting for ${instance}: the instance is running, and SSM doesn't reach it yet (TargetNotConnected) (0 s)`,
  );
  await open.until("Dashboard: http://127.0.0.1:");
  open.child.kill("SIGINT");
  expect(await open.end()).toBe(0);
}, 60_000);

test("a page that doesn't answer yet is waited for", async () => {
  await outputs();
  const late = createServer((_, response) => response.writeHead(200).end("{}")).listen(0, "127.0.0.1");
  await once(late, "listening");
  const { port } = late.address() as AddressInfo;
  late.close();
  const open = run([], { STUB_TARGET: String(port) });
  await open.until(`Waiting for ${instance}: it is connected, and its page doesn't answer yet (`);
  const up = createServer((_, response) => response.writeHead(200).end("{}")).listen(port, "127.0.0.1");
  await open.until("Dashboard: http://127.0.0.1:");
  open.child.kill("SIGINT");
  expect(await open.end()).toBe(0);
  up.close();
  up.closeAllConnections();
}, 60_000);

test("who waits can stop waiting", async () => {
  await outputs();
  const open = run([], { STUB_TARGETS: "{}" });
  await open.until("it is connected, and its page doesn't answer yet");
  open.child.kill("SIGTERM");
  expect(await open.end()).toBe(0);
  expect(open.text()).not.toContain("Dashboard:");
  expect(opened()).toBe("");
}, 60_000);

test("an instance that was terminated or stopped will never answer, and it is said what to do", async () => {
  await outputs();
  front.answer("StartSession", () => new Refusal("TargetNotConnected"));
  await ec2.send(new StopInstancesCommand({ InstanceIds: [instance] }));
  const stopped = run([]);
  expect(await stopped.end()).toBe(2);
  expect(stopped.text()).toBe(
    `oneoff: the dashboard's instance ${instance} is stopped: start it with "aws ec2 start-instances --instance-ids ${instance}"\n`,
  );
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [instance] }));
  const terminated = run([]);
  expect(await terminated.end()).toBe(2);
  expect(terminated.text()).toBe(
    `oneoff: the dashboard's instance ${instance} was terminated: "npx pulumi up --refresh --stack emr-oneoff" makes another, and the results are still in the lake\n`,
  );
  await outputs({ dashboardInstance: "i-0123456789abcdef0" });
  const gone = run([]);
  expect(await gone.end()).toBe(2);
  expect(gone.text()).toContain("was terminated at its deadline of 7 d");
}, 60_000);

const LOCAL = { cluster: "local", run: "1", lake: "/x" };
const portOf = (server: Server): number => (server.address() as AddressInfo).port;
/** Where a page was looked for, in order. */
const places = () =>
  sessions().map(({ args }) => {
    const { Target, DocumentName, Parameters } = JSON.parse(args[4]);
    expect(Target).toBe(primary);
    return [DocumentName, ...(Parameters.host ?? []), ...Parameters.portNumber].join(" ");
  });
const LOOPBACK = "AWS-StartPortForwardingSession";
const REMOTE = "AWS-StartPortForwardingSessionToRemoteHost";

test("Spark's history speaks TLS, with a certificate that no browser knows", async () => {
  await outputs();
  const spark = run(["--ui", "spark"], {
    STUB_TARGETS: JSON.stringify({ 18480: portOf(tlsPage), 18080: portOf(page) }),
  });
  await spark.until(
    /Spark's history: https:\/\/127\.0\.0\.1:\d+\nThe browser will warn of its certificate, which was made for the cluster\.\n/,
  );
  await spark.until("Ctrl-C closes the connection.");
  spark.child.kill("SIGINT");
  expect(await spark.end()).toBe(0);
  expect(places()).toEqual([`${LOOPBACK} 18480`]);
  await expect.poll(opened).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
}, 60_000);

test("YARN is looked for on both its ports, on the node's loopback", async () => {
  await outputs();
  const yarn = run(["--ui", "yarn"], { STUB_TARGETS: JSON.stringify({ 8088: portOf(page) }) });
  await yarn.until(/YARN: http:\/\/127\.0\.0\.1:\d+\nCtrl-C closes the connection\.\n/, 40_000);
  yarn.child.kill("SIGINT");
  expect(await yarn.end()).toBe(0);
  expect(places()).toEqual([`${LOOPBACK} 8090`, `${LOOPBACK} 8088`]);
}, 60_000);

test("YARN is then looked for on the node's private address, and stays where it was found", async () => {
  await outputs();
  const yarn = run(["--ui", "yarn"], { STUB_TARGETS: JSON.stringify({ [`${primaryHost}:8090`]: portOf(tlsPage) }) });
  await yarn.until(/YARN: https:\/\/127\.0\.0\.1:\d+\n/, 40_000);
  writeFileSync(join(folder, "log.end"), "");
  await yarn.until("The connection has ended (Session timed out); connecting again");
  rmSync(join(folder, "log.end"));
  await yarn.until("It is connected again.");
  yarn.child.kill("SIGINT");
  expect(await yarn.end()).toBe(0);
  expect(places().slice(0, 3)).toEqual([`${LOOPBACK} 8090`, `${LOOPBACK} 8088`, `${REMOTE} ${primaryHost} 8090`]);
  expect(new Set(places().slice(3))).toEqual(new Set([`${REMOTE} ${primaryHost} 8090`]));
}, 90_000);

test("the cluster's own pages: JupyterLab only where it is kept alive, with its token", async () => {
  await outputs();
  const refused = run(["--ui", "jupyter"]);
  expect(await refused.end()).toBe(2);
  expect(refused.text()).toBe(
    'oneoff: --ui is "jupyter", and JupyterLab is only on clusters that are kept alive: set keepAlive and start another run with "npx --no oneoff run emr-oneoff"\n',
  );

  await outputs({ keepAlive: true });
  const s3 = new S3Client({});
  await s3.send(
    new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }),
  );
  const early = run(["--ui", "jupyter"]);
  expect(await early.end()).toBe(2);
  expect(early.text()).toContain("oneoff: JupyterLab is not up yet");
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "_jupyter/1", Body: "t0ken\n" }));
  const jupyter = run(["--ui", "jupyter"]);
  await jupyter.until(
    /JupyterLab: http:\/\/127\.0\.0\.1:\d+\nThe browser gets its token; "aws s3 cp s3:\/\/[\w-]+\/_jupyter\/1 -" shows it\.\n/,
  );
  await expect.poll(opened).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/lab\?token=t0ken$/);
  expect(jupyter.text()).not.toContain("t0ken");
  jupyter.child.kill("SIGINT");
  expect(await jupyter.end()).toBe(0);
}, 90_000);

test("the primary node of a cluster of fleets is asked for as one; before there is one, that is said", async () => {
  await outputs();
  front.amend("DescribeCluster", ({ Cluster }) => ({
    Cluster: { ...(Cluster as object), InstanceCollectionType: "INSTANCE_FLEET" },
  }));
  front.answer("ListInstances", () => ({ Instances: [] }));
  const yarn = run(["--ui", "yarn"]);
  expect(await yarn.end()).toBe(2);
  expect(yarn.text()).toBe(
    `oneoff: cluster ${cluster} is still starting and has no primary node yet: try again in some minutes\n`,
  );
  expect(front.asked.at(-1)).toEqual({
    operation: "ListInstances",
    input: { ClusterId: cluster, InstanceFleetType: "MASTER" },
  });
}, 60_000);

test("patience ends, with the reason why there was no answer", async () => {
  const { PATH } = process.env;
  process.env.PATH = [join(folder, "bin"), PATH].join(delimiter);
  const context = contextOf(STACK, { region: "us-west-2" });
  writeFileSync(
    join(folder, "bin", "session-manager-plugin"),
    `#!/bin/sh
[ "$1" = --version ] && echo 1.2.650.0 && exit
echo 'no route to host' >&2
exit 1
`,
  );
  try {
    const route = await dashboardRoute(context, { dashboardInstance: instance });
    const tunnel = { ...(route.tunnel as Tunnel), patienceMs: 1000 };
    await expect(stayConnected(route, tunnel, 18766, new AbortController().signal)).rejects.toThrow(
      `Dashboard didn't answer within 1 s: no route to host; its instance is ${instance}`,
    );
  } finally {
    process.env.PATH = PATH;
  }
  await expect(dashboardRoute(context, {})).rejects.toThrow(
    'stack emr-oneoff has no dashboard: its output "dashboardInstance" is not set',
  );
}, 30_000);

test("a cluster that has ended has no pages, and it is said where its logs are", async () => {
  await outputs();
  await new EMRClient({}).send(new TerminateJobFlowsCommand({ JobFlowIds: [cluster] }));
  const yarn = run(["--ui", "yarn"]);
  expect(await yarn.end()).toBe(2);
  expect(yarn.text()).toBe(
    `oneoff: cluster ${cluster} has ended, and its own pages with it: its logs are in s3://${BUCKET}/_logs/emr/${cluster}/, and the dashboard is still there: "npx --no oneoff open emr-oneoff"\n`,
  );
}, 60_000);

test("what is missing is named with where to get it", async () => {
  await outputs();
  rmSync(join(folder, "bin", "session-manager-plugin"));
  const open = run([]);
  expect(await open.end()).toBe(2);
  expect(open.text()).toBe(
    "oneoff: session-manager-plugin is not on PATH: install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html\n",
  );
  const badPort = run(["--port", "0"]);
  expect(await badPort.end()).toBe(2);
  expect(badPort.text()).toContain("expected a number from 1 to 65535");
}, 60_000);

test("a port that was asked for and is taken is refused; so is --ui where there are no such pages", async () => {
  await outputs();
  const { port } = page.address() as AddressInfo;
  const taken = run(["--port", String(port)]);
  expect(await taken.end()).toBe(2);
  expect(taken.text()).toBe(`oneoff: --port is ${port}: another program listens on it; choose another\n`);
  await stack.setOutputs({ cluster: "local", run: "1", lake: "/nowhere", dashboard: "http://127.0.0.1:1" });
  for (const [args, message] of [
    [["--ui", "spark"], '--ui is "spark", and stack emr-oneoff has no such page: it has none but its dashboard'],
    [
      ["--port", "18767"],
      "--port is 18767, and no connection of this command leads to the page: Dashboard is at http://127.0.0.1:1",
    ],
  ] as const) {
    const local = run(args);
    expect(await local.end()).toBe(2);
    expect(local.text()).toBe(`oneoff: ${message}\n`);
  }
  const dead = run([]);
  expect(await dead.end()).toBe(4);
  expect(dead.text()).toBe(
    'oneoff: Dashboard doesn\'t answer at http://127.0.0.1:1: "npx --no oneoff up emr-oneoff" starts it again\n',
  );
  await stack.setOutputs({ cluster: "local", dashboard: "http://127.0.0.1:1" });
  const foreign = run([]);
  expect(await foreign.end()).toBe(2);
  expect(foreign.text()).toBe(
    'oneoff: stack emr-oneoff has no output "run", and commands for cluster "local" need it: have its program return it, then "npx pulumi up --stack emr-oneoff"\n',
  );
}, 60_000);

/** As a state that is imported has it; Pulumi encrypts it. */
const secret = (value: string) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  plaintext: JSON.stringify(value),
});

test.each([
  [{ cluster: "nope" }, 'has no cluster that is known here: its output "cluster" is "nope"; there are '],
  [
    { dashboard: "http://127.0.0.1:1" },
    'has no output "cluster", by which the commands know what it is: have its program export what outputs(',
  ],
  [{ cluster: "local", run: "7", lake: 5 }, 'output "lake" of stack emr-oneoff is 5: Invalid input: expected string'],
  [
    { ...LOCAL, dashboard: "my page" },
    'output "dashboard" of stack emr-oneoff is "my page": expected the address of a page',
  ],
  [
    { ...LOCAL, dashboard: secret("http://127.0.0.1:1") },
    'output "dashboard" of stack emr-oneoff is "[secret]": expected the address of a page, which is no secret',
  ],
])(
  "outputs that are of no use are told in a sentence: %j",
  async (outputs, message) => {
    await stack.setOutputs(outputs);
    const refused = run([]);
    expect(await refused.end()).toBe(2);
    expect(refused.text()).toContain(message);
    expect(refused.text().trim().split("\n")).toHaveLength(1);
  },
  60_000,
);

test("the version from which the token goes by the environment", () => {
  const versions = ["1.2.497.0", "1.2.497.1", "1.2.650.0", "1.1.999.0", "2.0", "1.2.54.0"];
  expect(versions.map(takesEnvironment)).toEqual([false, true, true, false, true, false]);
});
