/** Accounts of a node and who enters them, with a real sshd. */
// @module-tag root
// @module-tag mount
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../free-port.ts";
import { type FleetNode, greeting, type KeyPair, type NodeUser, startNode } from "./node.ts";

const ADA = "oneofft-ada";
const BOB = "oneofft-bob";

let node: FleetNode;
let ada: KeyPair;
let bob: KeyPair;
const both = (): [NodeUser, NodeUser] => [
  { name: ADA, keys: [ada.line] },
  { name: BOB, keys: [bob.line] },
];
const accounts = () => node.must("sh", "-c", "cat /etc/passwd /etc/group /etc/shadow /var/lib/oneoff/users/*.json");
/** Those of a user, as the node has them. */
const processesOf = async (user: string) => {
  const { out } = await node.run("pgrep", "-a", "-u", user);
  return out.trim();
};

beforeAll(async () => {
  node = await startNode();
  ada = node.key("ada");
  bob = node.key("bob");
  await node.users(both());
});
afterAll(() => node?.[Symbol.asyncDispose]());

test("a user has an account of their own: a home that others can't read, no group, no password, no way to be root", async () => {
  const { out, code } = await node.ssh(
    ADA,
    ada,
    "id -Gn; umask 022; echo mine > notes; chmod 755 ~; cat /var/lib/oneoff/users/accounts.json",
  );
  expect([out, code]).toEqual([`${ADA}\n`, 1]);
  await node.users(both()); // closes what the user had opened
  const other = await node.ssh(BOB, bob, `cat /home/${ADA}/notes; ls /home/${ADA}`);
  expect(other.code).not.toBe(0);
  expect(other.out).toBe("");
  expect(other.err.match(/Permission denied/g)).toHaveLength(2);
  expect(await node.must("getent", "shadow", ADA)).toMatch(/:\*:/);
  expect(await node.must("cat", "/etc/subuid", "/etc/subgid")).not.toContain("oneofft");
});

test("keys alone open an account: not another's, none of root's, no password", async () => {
  expect((await node.ssh(ADA, bob, "true")).code).toBe(255);
  await node.must(
    "sh",
    "-c",
    `mkdir -p ~root/.ssh ~${ADA}/.ssh; for d in ~root ~${ADA}; do echo '${bob.line}' > $d/.ssh/authorized_keys; done`,
  );
  expect((await node.ssh("root", bob, "true")).err).toContain("Permission denied (publickey)");
  expect((await node.ssh(ADA, bob, "true")).err).toContain("Permission denied (publickey)");
  expect((await node.ssh(ADA, ada, "true")).code).toBe(0);
});

test("a new key counts at once; the old one no more, nor a session that it began, and what it left behind goes on", async () => {
  const next = node.key("next");
  const [, other] = both();
  await node.ssh(ADA, ada, "setsid sleep 900 > /dev/null 2>&1 &");
  const session = node.session(ADA, ada, "sleep 901");
  await expect.poll(() => processesOf(ADA)).toContain("sleep 901");
  const nothing = { users: 2, made: [], opened: [], revoked: [] };
  expect(await node.users([{ name: ADA, keys: [ada.line, next.line] }, other])).toEqual(nothing);
  expect((await node.ssh(ADA, next, "true")).code).toBe(0);
  expect(session.exitCode).toBe(null);
  expect(await node.users([{ name: ADA, keys: [next.line] }, other])).toEqual(nothing);
  expect((await node.ssh(ADA, ada, "true")).code).toBe(255);
  expect((await node.ssh(ADA, next, "true")).code).toBe(0);
  await expect.poll(() => session.exitCode).toBe(255);
  expect(await processesOf(ADA)).toMatch(/sleep 900/);
  await node.must("pkill", "-f", "sleep 900");
});

test("who is revoked loses sessions, forwarded ports and what runs in the background, and has the files when they come back", async () => {
  await node.users(both());
  const stubborn = "nohup sh -c 'trap \"\" TERM HUP; while :; do sleep 0.1; done' > /dev/null 2>&1 &";
  await node.ssh(ADA, ada, `echo kept > result; ${stubborn} setsid sleep 1000 > /dev/null 2>&1 &`);
  const session = node.session(ADA, ada, "sleep 1000");
  const tunnel = node.session(ADA, ada, "-N");
  const colleague = node.session(BOB, bob, "sleep 1001");
  await expect.poll(() => processesOf(BOB)).toContain("sleep 1001");
  await expect.poll(async () => (await processesOf(ADA)).match(/sshd: /g)?.length).toBe(2);
  expect(await processesOf(ADA)).toContain("sleep 1000");

  const began = Date.now();
  expect(await node.users(both().slice(1))).toEqual({ users: 1, made: [], opened: [], revoked: [ADA] });
  expect(Date.now() - began).toBeLessThan(10_000);
  expect(await processesOf(ADA)).toBe("");
  await expect.poll(() => [session.exitCode, tunnel.exitCode]).toEqual([255, 255]);
  expect((await node.ssh(ADA, ada, "true")).code).toBe(255);
  expect(await node.must("getent", "shadow", ADA)).toMatch(/:!:.*:1:$/m);
  // Not even if the key were still given out.
  const admitted = { confirmed: Date.now() / 1000, users: { [ADA]: [ada.line] } };
  await node.write("/run/oneoff/admitted.json", JSON.stringify(admitted));
  expect(await node.must("python3.11", "/opt/oneoff/scripts/fleet/authorized_keys.py", ADA)).toContain(ada.line);
  expect((await node.ssh(ADA, ada, "true")).code).not.toBe(0);
  expect([colleague.exitCode, await processesOf(BOB)]).toEqual([null, expect.stringContaining("sleep 1001")]);
  colleague.kill();

  const before = await node.must("id", "-u", ADA);
  // Somebody's else's program that it was, or a timer, starts something for it later.
  node.start("setpriv", "--reuid", before.trim(), "--clear-groups", "sleep", "1002");
  await expect.poll(() => processesOf(ADA)).toContain("sleep 1002");
  expect(await node.users(both().slice(1))).toEqual({ users: 1, made: [], opened: [], revoked: [] });
  expect(await processesOf(ADA)).toBe("");

  expect(await node.users(both())).toEqual({ users: 2, made: [], opened: [ADA], revoked: [] });
  expect(await node.must("id", "-u", ADA)).toBe(before);
  expect((await node.ssh(ADA, ada, "cat result")).out).toBe("kept\n");
});

test("a user's processes that multiply can't outrun their end", async () => {
  const bomb =
    "import os, signal, time\nsignal.signal(15, signal.SIG_IGN)\nfor _ in range(4): os.fork()\nwhile True:\n  time.sleep(0.001)\n  if os.fork() == 0: os.setsid()\n  else: os._exit(0)";
  await node.ssh(ADA, ada, `python3.11 -c '${bomb}' > /dev/null 2>&1 &`);
  await expect.poll(() => processesOf(ADA)).toContain("os.fork");
  await node.users(both().slice(1));
  expect(await processesOf(ADA)).toBe("");
  await node.users(both());
});

test("once the list of users was not confirmed for 10 minutes nobody enters, and who is in stays", async () => {
  const session = node.session(ADA, ada, "sleep 1003");
  await expect.poll(() => processesOf(ADA)).toContain("sleep 1003");
  await node.users(both(), 590);
  expect((await node.ssh(ADA, ada, "true")).code).toBe(0);
  await node.users(both(), 610);
  expect((await node.ssh(ADA, ada, "true")).code).toBe(255);
  expect(session.exitCode).toBe(null);

  const failed = await node.sync("--fetch", "false");
  expect(failed).toMatchObject({ code: 1, err: "users: false did not fetch the users, and ended with 1\n" });
  expect((await node.ssh(ADA, ada, "true")).code).toBe(255);
  expect(await node.sync("--fetch", "true")).toMatchObject({ code: 0, err: "" });
  expect((await node.ssh(ADA, ada, "true")).code).toBe(0);
  // Nobody knows whether the clock is right now or was then.
  const admitted = "/run/oneoff/admitted.json";
  await node.must("sed", "-i", 's/"confirmed": [0-9.]*/"confirmed": 99999999999/', admitted);
  expect((await node.ssh(ADA, ada, "true")).code).toBe(255);
  await node.must("rm", admitted);
  expect((await node.ssh(ADA, ada, "true")).code).toBe(255);
  session.kill();
  await node.users(both());
});

test("a file that is hostile, or half there, changes nothing", async () => {
  await node.must("useradd", "--system", "oneofft-service");
  await node.must("mkdir", "/home/oneofft-left");
  const before = await accounts();
  const eve = { name: "oneofft-eve", keys: [bob.line] };
  const files = {
    "others' names": ["root", "oneofft-service", "oneofft-left", "../x", "-x", "", "Ada", "a b", "a\nb"].map((name) =>
      JSON.stringify({ fleet: "test", users: [eve, { ...eve, name }] }),
    ),
    "others' keys": [
      `command="id" ${bob.line}`,
      `no-pty ${bob.line}`,
      `${ada.line}\n${bob.line}`,
      `${bob.line}\r`,
      "ssh-ed25519 AAAA",
      bob.line.replace("ssh-ed25519", "ssh-rsa"),
      bob.line.replace("ssh-ed25519 ", "cert-authority"),
    ].map((key) => JSON.stringify({ fleet: "test", users: [{ ...eve, keys: [key] }] })),
    "no users": [
      "",
      "{",
      "[]",
      "{}",
      '{"fleet": "test"}',
      JSON.stringify({ fleet: "test", users: both() }).slice(0, -1),
    ],
  };
  for (const text of Object.values(files).flat()) {
    await node.write(node.usersFile, text);
    expect(await node.sync(), text).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringMatching(/^users: .*; nothing was changed\n$/),
    });
  }
  await node.write(node.usersFile, JSON.stringify({ fleet: "test", users: [eve] }));
  await node.must("chmod", "666", node.usersFile);
  expect((await node.sync()).err).toContain("others than root may write to it; nothing was changed");
  await node.must("chmod", "600", node.usersFile);
  expect(await accounts()).toBe(before);
  expect((await node.ssh(ADA, ada, "true")).code).toBe(0);
});

test("ports of pages can be forwarded, others can't; nor can an agent, X11, or a port of the user's machine", async () => {
  const servers = [1, 2].map((at) => createServer((socket) => socket.end("page")).listen(node.port + at, "127.0.0.1"));
  const [page, other] = [await freePort(), await freePort()];
  const forward = [`-L127.0.0.1:${page}:127.0.0.1:${node.port + 1}`, `-L127.0.0.1:${other}:127.0.0.1:${node.port + 2}`];
  node.session(ADA, ada, "-N", ...forward);
  await expect.poll(() => greeting(page)).toBe("page");
  expect(await greeting(other)).toBe("");
  for (const server of servers) server.close();

  const back = await node.ssh(
    ADA,
    ada,
    "-oExitOnForwardFailure=yes",
    `-R127.0.0.1:${await freePort()}:127.0.0.1:1`,
    "true",
  );
  expect(back).toMatchObject({ code: 255, err: expect.stringContaining("remote port forwarding failed") });
  const agent = spawn("ssh-agent", ["-D", "-a", `${ada.file}.agent`], { stdio: "ignore" });
  await expect.poll(() => existsSync(`${ada.file}.agent`)).toBe(true);
  const { out } = await node.ssh(ADA, ada, `-oIdentityAgent=${ada.file}.agent`, "-A", "-Y", "-tt", "env; tty");
  agent.kill();
  expect(out).toContain("/dev/pts/");
  expect(out).not.toMatch(/SSH_AUTH_SOCK|DISPLAY/);
  expect(node.log()).toContain("Accepted publickey for oneofft-ada");
});
