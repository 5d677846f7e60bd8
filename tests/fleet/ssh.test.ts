/**
 * A node is entered as its owner does: the real ssh by the files that were written for it, this command as what carries the
 * connection, and a real sshd behind a plugin that joins the two, as Session Manager would.
 */
// @module-tag root
// @module-tag mount
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Entrance } from "../../cli/fleet.ts";
import { writeSshFiles } from "../../cli/ssh-files.ts";
import { startTunnel } from "../../cli/tunnel.ts";
import { onMachine } from "../../clients/ssh.ts";
import { type Front, startFront } from "../cli/front.ts";
import { freePort } from "../free-port.ts";
import { type FleetNode, type KeyPair, startNode } from "./node.ts";

const ADA = "oneofft-ada";
const INSTANCE = "i-0123456789abcdef0";

/** Joins what it reads and writes with the node's sshd. */
const PLUGIN = `#!${process.execPath}
if (process.argv[2] === "--version") { console.log("1.2.650.0"); process.exit(); }
const { Target } = JSON.parse(process.argv[6]);
if (Target !== "${INSTANCE}") process.exit(9);
const socket = require("node:net").connect(Number(process.env.STUB_SSHD), "127.0.0.1");
process.stdin.pipe(socket).pipe(process.stdout);
socket.on("close", () => process.exit());
`;

let node: FleetNode;
let front: Front;
let ada: KeyPair;
let folder: string;
let hostKey: string;
const cwd = process.cwd();

const entrance = (...hostKeys: readonly string[]): Entrance => ({
  carrier: "aws:us-west-2",
  hosts: [{ name: "head", machine: INSTANCE, hostKeys }],
  users: [ADA],
  otherwise: "",
});
const machine = (...hostKeys: readonly string[]) => {
  const { config } = writeSshFiles("team", entrance(...hostKeys), ADA);
  return { address: "ssh://head", options: ["-F", config, "-i", ada.file, "-o", "BatchMode=yes"] };
};

beforeAll(async () => {
  node = await startNode();
  front = await startFront("http://127.0.0.1:9"); // nothing else is asked of AWS
  front.answer("StartSession", () => ({ SessionId: "oneoff-1", TokenValue: "hush", StreamUrl: "wss://stream" }));
  front.answer("TerminateSession", () => ({ SessionId: "oneoff-1" }));
  folder = mkdtempSync(join(tmpdir(), "oneoff-enter-"));
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin", "session-manager-plugin"), PLUGIN, { mode: 0o755 });
  process.chdir(folder);
  for (const [name, value] of Object.entries({
    ...{ AWS_ENDPOINT_URL: front.url, AWS_ACCESS_KEY_ID: "testing", AWS_SECRET_ACCESS_KEY: "testing" },
    PATH: [join(folder, "bin"), process.env.PATH].join(delimiter),
    STUB_SSHD: String(node.port),
  })) {
    vi.stubEnv(name, value);
  }
  ada = node.key("ada");
  await node.users([{ name: ADA, keys: [ada.line] }]);
  hostKey = (await node.must("ssh-keygen", "-y", "-f", "/var/lib/sshd/key")).trim();
});
afterAll(async () => {
  process.chdir(cwd);
  vi.unstubAllEnvs();
  front?.close();
  rmSync(folder, { recursive: true, force: true });
  await node?.[Symbol.asyncDispose]();
});

test("ssh enters by the files, and reads what is the user's alone", async () => {
  const token = "mkdir -m 700 -p ~/.oneoff; echo t0ken > ~/.oneoff/notebook-token; id -un";
  expect((await onMachine(machine(hostKey), token)).toString()).toBe(`${ADA}\n`);
  expect((await onMachine(machine(hostKey), "cat ~/.oneoff/notebook-token")).toString()).toBe("t0ken\n");
  expect(front.asked.filter(({ operation }) => operation === "StartSession")).toHaveLength(2);
  // Each session is ended, also where ssh ends what carries it.
  const ended = () => front.asked.filter(({ operation }) => operation === "TerminateSession").length;
  await expect.poll(ended).toBe(2);
});

test("a page of the node is reached through it", async () => {
  const page = createServer((_, response) => response.end("page")).listen(node.port + 1, "127.0.0.1");
  const localPort = await freePort();
  const tunnel = startTunnel({ machine: machine(hostKey), port: node.port + 1, localPort });
  try {
    const read = () => fetch(`http://127.0.0.1:${localPort}`).then((response) => response.text(), String);
    await expect.poll(read).toBe("page");
  } finally {
    await tunnel.end();
    page.close();
  }
});

test("a machine with another key than it reported isn't entered", async () => {
  const other = node.key("other").line.split(" ").slice(0, 2).join(" ");
  await expect(onMachine(machine(other), "true")).rejects.toThrow(/Host key verification failed/);
  await expect(onMachine(machine(), "true")).rejects.toThrow(/Host key verification failed/);
  const { config } = writeSshFiles("team", entrance(hostKey), ADA);
  const stranger = [
    "-F",
    config,
    "-i",
    node.key("eve").file,
    "-o",
    "BatchMode=yes",
    "-o",
    "IdentitiesOnly=yes",
    "head",
  ];
  const { stderr } = await promisify(execFile)("ssh", [...stranger, "true"]).catch((error) => error);
  expect(stderr).toContain("Permission denied (publickey)");
});
