/** What `ssh -F` reads to enter a fleet's machines, which have no open port: this command carries the connection. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { shellWord } from "../clients/ssh.ts";
import { quote, UsageError } from "../core/errors.ts";
import { projectFolder } from "../engine/backend.ts";
import type { Entrance } from "./fleet.ts";

/** Where the files are. */
export interface SshFiles {
  readonly config: string;
  readonly knownHosts: string;
  /** Whose account is entered. */
  readonly user: string;
}

/** Folder of a stack's files: two stacks of a project have two. */
const folderOf = (stack: string): string => join(projectFolder(), ".oneoff", "ssh", fileName(stack));

const fileName = (stack: string): string => stack.replaceAll("/", "-");

const MODE = 0o600;

/**
 * Writes them anew: machines come and go, with keys of their own.
 * @param given account that is meant. @default that of the last time, else this machine's, else the only one
 * @throws UsageError when there is no such user.
 */
export function writeSshFiles(stack: string, entrance: Entrance, given?: string): SshFiles {
  const folder = folderOf(stack);
  const user = userOf(entrance, given, configIn(folder));
  const knownHosts = `"${join(folder, KNOWN_HOSTS)}"`;
  return write(folder, entrance, { user, knownHosts, carry: ownCommand(entrance.carrier) });
}

/** Where a colleague has the known hosts of a stack. */
export const colleagueHosts = (stack: string): string => `~/.ssh/known_hosts.${fileName(stack)}`;

/** The same for somebody elsewhere, who has the AWS CLI. @throws UsageError when there is no such user. */
export function writeColleagueFiles(stack: string, entrance: Entrance, given?: string): SshFiles {
  const user = userOf(entrance, given, undefined);
  const folder = join(folderOf(stack), user);
  return write(folder, entrance, { user, knownHosts: colleagueHosts(stack), carry: entrance.otherwise });
}

const KNOWN_HOSTS = "known_hosts";
const configIn = (folder: string): string => join(folder, "config");

interface Shared {
  readonly user: string;
  /** Where ssh finds the machines' keys. */
  readonly knownHosts: string;
  /** What carries a connection, where "%h" is the machine. */
  readonly carry: string;
}

function write(folder: string, entrance: Entrance, { user, knownHosts, carry }: Shared): SshFiles {
  mkdirSync(folder, { recursive: true });
  const hosts = entrance.hosts.filter(({ name, machine }) => NAME.test(name) && NAME.test(machine));
  const lines = hosts.flatMap(({ name, machine }) => [
    `Host ${name}`,
    `  HostName ${machine}`,
    `  HostKeyAlias ${machine}`,
  ]);
  // The first value counts, so what all have comes last.
  const shared = [
    "Host *",
    `  User ${user}`,
    `  UserKnownHostsFile ${knownHosts}`,
    "  StrictHostKeyChecking yes",
    "  UpdateHostKeys no",
    "  ServerAliveInterval 30",
    `  ProxyCommand ${carry}`,
  ];
  const keys = hosts.flatMap(({ machine, hostKeys }) =>
    hostKeys.flatMap((key) => KEY.exec(key)?.[1] ?? []).map((key) => `${machine} ${key}`),
  );
  const files = { config: configIn(folder), knownHosts: join(folder, KNOWN_HOSTS), user };
  writeLines(files.config, [`# Written by "oneoff fleet ssh"; "ssh -F" reads it.`, ...lines, ...shared]);
  writeLines(files.knownHosts, keys);
  return files;
}

/** What a machine says of itself must not become more than a name or a key. */
const NAME = /^[a-z0-9][a-z0-9.-]*$/;
const KEY = /^((?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/]+=*)(?: [ -~]*)?$/;

function writeLines(file: string, lines: readonly string[]): void {
  writeFileSync(file, lines.map((line) => `${line}\n`).join(""), { mode: MODE });
  chmodSync(file, MODE); // of one that was there
}

function userOf({ users }: Entrance, given: string | undefined, config: string | undefined): string {
  const there = users.length === 0 ? "nobody may enter yet" : `there are ${users.join(", ")}`;
  if (given !== undefined) {
    if (users.includes(given)) return given;
    throw new UsageError(`--user is ${quote(given)}: ${there}; "oneoff fleet users add" lets somebody in`);
  }
  const found = [config && userBefore(config), userInfo().username, users.length === 1 ? users[0] : undefined];
  const user = found.find((name) => name !== undefined && users.includes(name));
  if (user !== undefined) return user;
  throw new UsageError(
    users.length === 0
      ? 'nobody may enter the fleet yet: "oneoff fleet users add FILE NAME" lets somebody in'
      : `whose account is meant can't be told, and ${there}: name one, once, by "oneoff fleet ssh --user NAME"`,
  );
}

const userBefore = (config: string): string | undefined =>
  existsSync(config) ? /^ {2}User (.+)$/m.exec(readFileSync(config, "utf8"))?.[1] : undefined;

/** With the profile that is used now: ssh may be asked from another shell. */
function ownCommand(carrier: string): string {
  const { AWS_PROFILE: profile } = process.env;
  const words = [process.execPath, cli(), "fleet", "ssh", "--proxy"].map((word) =>
    shellWord(word).replaceAll("%", "%%"),
  );
  const environment = profile ? `env ${shellWord(`AWS_PROFILE=${profile}`).replaceAll("%", "%%")} ` : "";
  return `${environment}${words.join(" ")} ${carrier}/%h`;
}

/** The command itself: beside this file in a checkout, above `dist` in the package. */
function cli(): string {
  const [own, published] = ["oneoff.mjs", "../../cli/oneoff.mjs"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  ) as [string, string];
  return existsSync(own) ? own : published;
}
