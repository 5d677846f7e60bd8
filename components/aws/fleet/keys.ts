import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { arg, invalid, quote, refusal, UsageError } from "../../../core/errors.ts";
import { RESERVED_ACCOUNTS } from "./reserved-accounts.ts";

/** Somebody with an account on the nodes. */
export interface UserKey {
  /** Name of the account. */
  readonly name: string;
  /** Type and key, as a line of authorized_keys, without options and comment. */
  readonly key: string;
}

/** A file of a folder of keys. */
export interface KeyFile {
  /** Without its folder: "alice.pub". */
  readonly name: string;
  readonly content: string;
}

const EXTENSION = ".pub";
const LEAST_RSA_BITS = 3072;
/** More than any public key with its comment. */
const MOST_BYTES = 64 * 1024;

/** What the lake says of who may enter; its bytes are the same whoever writes it. See core/fleet-lake.ts. */
export const usersFile = (fleet: string, users: readonly UserKey[]): string =>
  JSON.stringify({ fleet, users: users.map(({ name, key }) => ({ name, keys: [key] })) });

/** Refuses a file: the line is counted from 1. */
const wrong = (file: string, line: number, why: string) =>
  refusal`${arg("users")} has ${quote(file)}, line ${line}: ${why}`;

/**
 * The users of a folder.
 *
 * @param folder absolute path; of its files those that end in .pub.
 * @throws UsageError when there is none, and as {@link usersOf} does.
 */
export function readUsers(folder: string): readonly UserKey[] {
  const files = keyFiles(folder);
  if (files.length === 0) {
    throw invalid("users", folder, "no file in it ends in .pub; put a public key there for each user, <user>.pub");
  }
  return usersOf(files);
}

/** The files of a folder that end in .pub, by their names. @throws UsageError when there is no such folder, and for what can't be read. */
export function keyFiles(folder: string): readonly KeyFile[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw invalid("users", folder, "there is no such folder; give one with a public key for each user, <user>.pub");
  }
  const names = reading(
    folder,
    () => readdirSync(folder),
    (why) => invalid("users", folder, why),
  );
  return names
    .filter((name) => name.endsWith(EXTENSION))
    .sort()
    .map((name) => ({ name, content: contentOf(join(folder, name), name) }));
}

/** Whoever has a file there that isn't read would wonder why nobody enters. */
function contentOf(path: string, name: string): string {
  const refuse = (why: string) => refusal`${arg("users")} has ${quote(name)}: ${why}`;
  return reading(
    path,
    () => {
      const found = statSync(path);
      if (!found.isFile())
        throw refuse("it is no file; put a public key there, or give it a name that doesn't end in .pub");
      if (found.size > MOST_BYTES) throw refuse(`it has ${found.size} bytes, more than any public key; put one there`);
      return readFileSync(path, "latin1");
    },
    refuse,
  );
}

function reading<T>(path: string, read: () => T, refuse: (why: string) => UsageError): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw refuse(`it can't be read (${code}); take it away, or have it be what you may read: ${path}`);
  }
}

/**
 * The users that files stand for, each by its name.
 *
 * @throws UsageError for a name that can't be an account, a file that isn't one public key without options, a key that is too weak,
 * and a name or key that stands twice.
 */
export function usersOf(files: readonly KeyFile[]): readonly UserKey[] {
  const users = new Map<string, UserKey>();
  const owners = new Map<string, string>();
  for (const file of files) {
    const name = accountOf(file.name);
    const { line, key } = keyOf(file);
    if (users.has(name)) throw refusal`${arg("users")} has ${quote(file.name)} twice: a user has one file`;
    const owner = owners.get(key);
    if (owner !== undefined)
      throw wrong(file.name, line, `${owner} has the same key; each user needs one of their own`);
    users.set(name, { name, key });
    owners.set(key, file.name);
  }
  return [...users.values()];
}

function accountOf(file: string): string {
  const name = file.slice(0, -EXTENSION.length);
  if (!/^[a-z][a-z0-9_-]{0,30}$/.test(name)) {
    throw refusal`${arg("users")} has ${quote(file)}: its name is the user's, and must be a letter and up to 30 letters, digits, "-" and "_", all lower case, such as "alice.pub"`;
  }
  if (RESERVED_ACCOUNTS.has(name) || /^(systemd|oneoff)-/.test(name)) {
    throw refusal`${arg("users")} has ${quote(file)}: ${quote(name)} is an account or group of the system; take another name`;
  }
  return name;
}

/** The one key of a file. */
function keyOf({ name, content }: KeyFile): { readonly line: number; readonly key: string } {
  const lines = content.split(/\r?\n/).map((text, i) => ({ line: i + 1, text: text.trim() }));
  const secret = lines.find(({ text }) => /PRIVATE KEY|^PuTTY-User-Key-File/.test(text));
  if (secret !== undefined) {
    throw wrong(name, secret.line, "it is a private key; put the public one there, which ssh-keygen -y -f FILE prints");
  }
  const [first, second] = lines.filter(({ text }) => text !== "");
  if (first === undefined) throw wrong(name, 1, "it is empty; put a public key there, such as ~/.ssh/id_ed25519.pub");
  if (second !== undefined) throw wrong(name, second.line, "a file has one key, on one line");
  return { line: first.line, key: publicKey(first.text, (why) => wrong(name, first.line, why)) };
}

/** Parts of a key after its type, as ssh writes them. */
type Parts = readonly Buffer[];

const isLong = (bytes: number) => (part: Buffer | undefined) => part?.length === bytes;
const isPoint = (bytes: number) => (part: Buffer | undefined) => part?.length === bytes && part[0] === 4;
const isText = (text: string) => (part: Buffer | undefined) => part?.toString("latin1") === text;
const isAny = (part: Buffer | undefined) => part !== undefined && part.length > 0;

/** What the parts of each type must be. (RFC 4253, RFC 5656, RFC 8709, OpenSSH's PROTOCOL.u2f.) */
const TYPES = new Map<string, readonly ((part: Buffer | undefined) => boolean)[]>([
  ["ssh-ed25519", [isLong(32)]],
  ["sk-ssh-ed25519@openssh.com", [isLong(32), isAny]],
  ["ecdsa-sha2-nistp256", [isText("nistp256"), isPoint(65)]],
  ["ecdsa-sha2-nistp384", [isText("nistp384"), isPoint(97)]],
  ["ecdsa-sha2-nistp521", [isText("nistp521"), isPoint(133)]],
  ["sk-ecdsa-sha2-nistp256@openssh.com", [isText("nistp256"), isPoint(65), isAny]],
  ["ssh-rsa", [isAny, isAny]],
]);

/** Type and key of a line. */
function publicKey(text: string, refuse: (why: string) => Error): string {
  const [type = "", base64 = ""] = text.split(/\s+/);
  const expected = TYPES.get(type);
  if (expected === undefined) throw refuse(whyNoKey(text, type));
  const parts = partsOf(base64, type);
  if (parts?.length !== expected.length || !expected.every((fits, i) => fits(parts[i]))) {
    throw refuse(`it begins as a key of type ${type} and isn't one; copy the whole line`);
  }
  const bits = type === "ssh-rsa" ? BigInt(`0x${parts[1]?.toString("hex")}`).toString(2).length : LEAST_RSA_BITS;
  if (bits < LEAST_RSA_BITS) {
    throw refuse(
      `an RSA key of ${bits} bits is too weak; use ssh-keygen -t ed25519, or RSA from ${LEAST_RSA_BITS} bits on`,
    );
  }
  return `${type} ${base64}`;
}

function whyNoKey(text: string, type: string): string {
  if (/-cert-v0\d@openssh\.com$/.test(type)) return "it is a certificate; put the public key there that it is for";
  if (type === "ssh-dss") return "DSA keys are refused by OpenSSH; use ssh-keygen -t ed25519";
  if ([...TYPES.keys()].some((known) => text.includes(`${known} `))) {
    return "something stands before the key's type; options aren't allowed, leave the key alone";
  }
  return `expected a public key of type ${[...TYPES.keys()].join(", ")}, such as ~/.ssh/id_ed25519.pub has`;
}

/** What follows the type in a key; undefined when it is none of that type. */
function partsOf(base64: string, type: string): Parts | undefined {
  const blob = Buffer.from(base64, "base64");
  if (blob.toString("base64") !== base64) return undefined;
  const parts: Buffer[] = [];
  for (let at = 0; at < blob.length; ) {
    if (at + 4 > blob.length) return undefined;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return undefined;
    parts.push(blob.subarray(at + 4, end));
    at = end;
  }
  return isText(type)(parts[0]) ? parts.slice(1) : undefined;
}
