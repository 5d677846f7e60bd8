import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readUsers, usersOf } from "../../../components/aws/fleet/keys.ts";
import { fleetPlan } from "../../../components/aws/fleet/plan.ts";
import { UsageError } from "../../../core/errors.ts";

// Made by ssh-keygen (OpenSSH 9.2), whose private halves are gone.
const ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIVSPZGg9QlG+io9S5lHwEsdrz3cwVFVfVkFbmZil+78";
const OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBCWA2RKYmea8mH2/a+oNfB+9u1NRpSpozwX9hkfZ0gu";
const ECDSA =
  "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHS0q24SWr2C88uOhSOPmGf8TKCJkHFst/cxKHpjCNjBbSa/xtxc3jVgKAOYzkKC5WvIDkd3aMzt5FExQVeMIws=";
const RSA_3072 =
  "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCjuA59dsnmWSw7uH8+CaaDrsi14VY6+c2nH9lYDo44W1+ezkReAJcWhdDH3JpRVh9uDYNj5oqz8ZthZzqLx2UkOsjk+JqpdvVTOP9pt9wefmCauCnQHg98IMqfTkw2TTllH982sGHhjejQCr6yGfPYC7In1NohHIfvdMBW+Y8nSOcYfEAs5RxJVitrNucbx7sv9JMyq5YEVs4X2fnT/w0qO31q8xzeColqEnJRb4XYYXtanHu+nEUgajckMYsJUdE89MhoVerh/TziUK/a0vVqijxwk9ZqemKGg7lH2ZUMJ7dA99LFlN+Sg6mSbO0fRPR4LR6yAO6iVcbg6VJBa9gobI3J8Ewl9kLJZBw3PuCCmD6/pUSnHrWIQxQHezpkKAVck0pdENh/AqnlaAR2JP5OXqAo+ut/BgMqO2LlRXuMzHP/b351XIt9J5/Pz5v2XjVhr8TGg7rY1cKRtRXK3M8U1q6NhA8FfWdznmKsaNI38EgP8vYNrQyWjRnrgcfCbqc=";

/** A key as ssh writes it: each part after its length. */
function keyOf(type: string, ...parts: readonly (string | Buffer)[]): string {
  const written = [type, ...parts].map((part) => {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  return `${type} ${Buffer.concat(written).toString("base64")}`;
}

/** A point on a curve, uncompressed. */
const point = (bytes: number) => Buffer.concat([Buffer.from([4]), Buffer.alloc(bytes - 1, 7)]);
const rsaOf = (...n: readonly number[]) =>
  keyOf("ssh-rsa", Buffer.from([1, 0, 1]), Buffer.from([...n, ...Array(383).fill(1)]));

const RSA_4096 = keyOf("ssh-rsa", Buffer.from([1, 0, 1]), Buffer.alloc(512, 0x81));

const userOf = (content: string, name = "alice.pub") => usersOf([{ name, content }]);

const folder = mkdtempSync(join(tmpdir(), "keys-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["Ed25519", ED25519],
  ["ECDSA of 256 bits", ECDSA],
  ["ECDSA of 384 bits", keyOf("ecdsa-sha2-nistp384", "nistp384", point(97))],
  ["ECDSA of 521 bits", keyOf("ecdsa-sha2-nistp521", "nistp521", point(133))],
  ["Ed25519 of a security key", keyOf("sk-ssh-ed25519@openssh.com", Buffer.alloc(32, 9), "ssh:")],
  ["ECDSA of a security key", keyOf("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", point(65), "ssh:")],
  ["RSA of 3072 bits", RSA_3072],
  ["RSA of 3072 bits, none to spare", rsaOf(0, 0x80)],
])("%s is taken, without its comment", (_, key) => {
  const user = [{ name: "alice", key }];
  expect(userOf(key)).toEqual(user);
  expect(userOf(`${key}\n`)).toEqual(user);
  expect(userOf(`\n  ${key} alice@laptop, her second\r\n\n`)).toEqual(user);
});

test("each file is a user", () => {
  expect(
    usersOf([
      { name: "alice.pub", content: ED25519 },
      { name: "b-2_x.pub", content: OTHER },
    ]),
  ).toEqual([
    { name: "alice", key: ED25519 },
    { name: "b-2_x", key: OTHER },
  ]);
  expect(usersOf([])).toEqual([]);
});

const secret = (kind: string) => `-----BEGIN ${kind}PRIVATE ${"KEY"}-----\nAAAA\n`;
const PRIVATE = "it is a private key; put the public one there, which ssh-keygen -y -f FILE prints";
const OPTIONS = "something stands before the key's type; options aren't allowed, leave the key alone";
const BROKEN = (type: string) => `it begins as a key of type ${type} and isn't one; copy the whole line`;

test.each([
  ["a private key of OpenSSH", secret("OPENSSH "), 1, PRIVATE],
  ["a private key of OpenSSL", `Key of alice\n${secret("RSA ")}`, 2, PRIVATE],
  ["a private key of PuTTY", "PuTTY-User-Key-File-3: ssh-ed25519\n", 1, PRIVATE],
  ["a private key after the public one", `${ED25519}\n${secret("")}`, 2, PRIVATE],
  ["two keys", `${ED25519}\n\n${OTHER}\n`, 3, "a file has one key, on one line"],
  ["a key after a remark", `# of alice\n${ED25519}\n`, 2, "a file has one key, on one line"],
  ["nothing", " \n\n", 1, "it is empty; put a public key there, such as ~/.ssh/id_ed25519.pub"],
  ["an option", `command="rm -rf /" ${ED25519}`, 1, OPTIONS],
  ["an option after a line", `\nno-pty,from="10.0.0.0/8" ${ECDSA}`, 2, OPTIONS],
  [
    "a certificate",
    "ssh-ed25519-cert-v01@openssh.com AAAA",
    1,
    "it is a certificate; put the public key there that it is for",
  ],
  ["DSA", "ssh-dss AAAAB3NzaC1kc3M=", 1, "DSA keys are refused by OpenSSH; use ssh-keygen -t ed25519"],
  [
    "RSA of 3071 bits",
    rsaOf(0x7f),
    1,
    "an RSA key of 3071 bits is too weak; use ssh-keygen -t ed25519, or RSA from 3072 bits on",
  ],
  ["a key that was cut", ED25519.slice(0, -8), 1, BROKEN("ssh-ed25519")],
  ["a key of another type than it says", ED25519.replace("ssh-ed25519", "ssh-rsa"), 1, BROKEN("ssh-rsa")],
  ["an RSA key that was cut", RSA_4096.slice(0, -120), 1, BROKEN("ssh-rsa")],
  [
    "a key with two bytes more",
    `ssh-ed25519 ${Buffer.from(`${Buffer.from(ED25519.slice(12), "base64").toString("hex")}0000`, "hex").toString("base64")}`,
    1,
    BROKEN("ssh-ed25519"),
  ],
  ["a key with something in between", ED25519.replace("AAAA", "AA.AA"), 1, BROKEN("ssh-ed25519")],
  [
    "a key that is of another type within",
    keyOf("ssh-ed25518", Buffer.alloc(32)).replace("ssh-ed25518", "ssh-ed25519"),
    1,
    BROKEN("ssh-ed25519"),
  ],
  ["a type alone", "ssh-ed25519", 1, BROKEN("ssh-ed25519")],
  ["a key and more in it", keyOf("ssh-ed25519", Buffer.alloc(32), "more"), 1, BROKEN("ssh-ed25519")],
  ["a curve of another name", keyOf("ecdsa-sha2-nistp256", "nistp384", point(65)), 1, BROKEN("ecdsa-sha2-nistp256")],
  [
    "a compressed point",
    keyOf("ecdsa-sha2-nistp256", "nistp256", Buffer.alloc(33, 2)),
    1,
    BROKEN("ecdsa-sha2-nistp256"),
  ],
  [
    "something else",
    "my key",
    1,
    "expected a public key of type ssh-ed25519, sk-ssh-ed25519@openssh.com, ecdsa-sha2-nistp256,",
  ],
])("%s is refused with file and line", (_, content, line, why) => {
  expect(() => userOf(content)).toThrow(UsageError);
  expect(() => userOf(content)).toThrow(`users has "alice.pub", line ${line}: ${why}`);
});

test.each([
  "root",
  "ec2-user",
  "ssm-user",
  "hadoop",
  "spark",
  "oneoff",
  "oneoff-run",
  "sshd",
  "docker",
  "wheel",
  "systemd-network",
])("%s is no user's name", (name) => {
  expect(() => userOf(ED25519, `${name}.pub`)).toThrow(
    `users has "${name}.pub": "${name}" is an account or group of the system; take another name`,
  );
});

test.each(["Alice", "2fast", "a.b", "-x", "", "ä", `a${"b".repeat(31)}`])("%j can't be an account", (name) => {
  expect(() => userOf(ED25519, `${name}.pub`)).toThrow(
    `users has ${JSON.stringify(`${name}.pub`)}: its name is the user's, and must be a letter and up to 30 letters, digits, "-" and "_"`,
  );
});

test("a name of 31 letters is taken", () => {
  const name = `a${"b".repeat(30)}`;
  expect(userOf(ED25519, `${name}.pub`)).toEqual([{ name, key: ED25519 }]);
});

test("nobody is there twice, and no key", () => {
  const alice = { name: "alice.pub", content: ED25519 };
  expect(() => usersOf([alice, { ...alice, content: OTHER }])).toThrow(
    'users has "alice.pub" twice: a user has one file',
  );
  expect(() => usersOf([alice, { name: "bob.pub", content: `\n${ED25519} bob` }])).toThrow(
    'users has "bob.pub", line 2: alice.pub has the same key; each user needs one of their own',
  );
});

test("a folder's keys are read, and what else is in it is left alone", () => {
  const keys = join(folder, "keys");
  mkdirSync(join(keys, "old"), { recursive: true });
  writeFileSync(join(keys, "bob.pub"), `${OTHER} bob@laptop\n`);
  writeFileSync(join(keys, "alice.pub"), `${ED25519}\n`);
  writeFileSync(join(keys, "README.md"), "Who may in\n");
  const users = [
    { name: "alice", key: ED25519 },
    { name: "bob", key: OTHER },
  ];
  expect(readUsers(keys)).toEqual(users);
  const args = { lifetime: { deadline: "8 hours", idle: "1 hour" }, region: "us-east-1", users: keys } as const;
  expect(fleetPlan(args).users).toEqual(users);
  writeFileSync(join(keys, "carol.pub"), secret("OPENSSH "));
  expect(() => fleetPlan(args)).toThrow(`users has "carol.pub", line 1: ${PRIVATE}`);
});

test("what ends in .pub and can't be read is refused by its name, and not left out", () => {
  const refused = (name: string, make: (path: string) => void, why: string) => {
    const keys = mkdtempSync(join(folder, "odd-"));
    writeFileSync(join(keys, "alice.pub"), ED25519);
    make(join(keys, name));
    expect(() => readUsers(keys)).toThrow(`users has "${name}": ${why}`);
  };
  refused("gone.pub", (path) => symlinkSync("nowhere", path), "it can't be read (ENOENT); take it away");
  refused("a.pub", (path) => symlinkSync("a.pub", path), "it can't be read (ELOOP); take it away");
  const noFile = "it is no file; put a public key there, or give it a name that doesn't end in .pub";
  refused("bob.pub", (path) => mkdirSync(path), noFile);
  refused("null.pub", (path) => symlinkSync("/dev/zero", path), noFile);
  const large = "it has 3221225472 bytes, more than any public key; put one there";
  const makeLarge = (path: string) => {
    writeFileSync(path, "");
    truncateSync(path, 3 * 2 ** 30);
  };
  refused("large.pub", makeLarge, large);
});

test("a folder that isn't there, is a file or has no keys is refused", () => {
  const nowhere = "there is no such folder; give one with a public key for each user, <user>.pub";
  const file = join(folder, "file");
  writeFileSync(file, ED25519);
  for (const path of [file, join(folder, "none")]) {
    expect(() => readUsers(path)).toThrow(`users is ${JSON.stringify(path)}: ${nowhere}`);
  }
  const empty = join(folder, "empty");
  mkdirSync(empty);
  writeFileSync(join(empty, "id_ed25519"), secret("OPENSSH "));
  expect(() => readUsers(empty)).toThrow(
    `users is ${JSON.stringify(empty)}: no file in it ends in .pub; put a public key there for each user, <user>.pub`,
  );
});
