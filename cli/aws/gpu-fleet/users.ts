/** Who may enter a fleet: a folder of keys, which `pulumi up` reads too, and what the lake tells the machines each minute. */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { readJson } from "../../../clients/lake/read.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { type KeyFile, keyFiles, type UserKey, usersFile, usersOf } from "../../../components/aws/fleet/keys.ts";
import { MissingError, quote, TransientError, UsageError } from "../../../core/errors.ts";
import { fleetKeys } from "../../../core/fleet-lake.ts";
import { projectFolder } from "../../../engine/backend.ts";
import type { FleetUser, FleetUsers, UserAdmin } from "../../fleet.ts";
import type { StackContext } from "../../platform.ts";
import { clock, secondsBetween } from "../../when.ts";
import { minutes, nodesOf, type SeenFleet } from "./seen.ts";

const SETTING = "oneoff:users";

/** A node whose copy is older admits nobody. */
const COPY_SECONDS = 600;

/** What the lake has of them. */
const UsersFile = z.object({
  users: z.array(z.object({ name: z.string(), keys: z.array(z.string()) })),
});

/** Who may enter, as the machines are told. */
export async function toldUsers(lake: LakeStore, fleet: string): Promise<readonly UserKey[]> {
  const told = UsersFile.safeParse(await readJson(lake, fleetKeys(fleet).users)).data?.users ?? [];
  return told.flatMap(({ name, keys }) => keys.map((key) => ({ name, key })));
}

/** @param see looks at the machines. */
export function userAdmin(
  stack: StackContext,
  lake: LakeStore,
  fleet: string,
  see: () => Promise<SeenFleet>,
): UserAdmin {
  const { users: key } = fleetKeys(fleet);
  const folder = (): string => {
    const set = stack.files.config[SETTING];
    if (set !== undefined) return resolve(projectFolder(), set);
    throw new UsageError(
      `${SETTING} is not set: make a folder for public keys, <user>.pub, and "npx pulumi config set ${SETTING} ./keys --stack ${stack.name}"`,
    );
  };

  /** Tells the machines; what can't be told is as if it hadn't been asked for. */
  async function tell(files: readonly KeyFile[]): Promise<void> {
    const content = usersFile(fleet, checked(files));
    const [there] = await lake.list(key);
    const told = there ? await lake.replace(key, content, there.etag) : await lake.create(key, content);
    if (told) return;
    throw new TransientError(`the users of stack ${stack.name} were changed by somebody else meanwhile: give it again`);
  }

  return {
    async list() {
      const set = stack.files.config[SETTING] === undefined ? undefined : folder();
      const [seen, [file], told] = await Promise.all([see(), lake.list(key), toldUsers(lake, fleet)]);
      return listOf(set, set === undefined ? [] : checked(filesIn(set)), told, seen, file?.modified);
    },
    async add(key, given) {
      const where = folder();
      const { name, line } = newKey(key, given);
      const file = { name: `${name}.pub`, content: `${line}\n` };
      const before = filesIn(where);
      const fresh = join(where, `.${file.name}.new`);
      changing(where, () => writeFileSync(fresh, file.content));
      try {
        await tell([...before.filter((other) => other.name !== file.name), file].sort(byName));
      } catch (error) {
        rmSync(fresh);
        throw error;
      }
      renameSync(fresh, join(where, file.name));
      const isNew = before.every((other) => other.name !== file.name);
      return [
        isNew
          ? `${name} may enter within a minute; their key is in ${where}.`
          : `${name} has another key within a minute; sessions by the old one end.`,
        ...(isNew ? needsOf(stack.name, name) : []),
      ];
    },
    async remove(name) {
      const where = folder();
      const files = filesIn(where);
      const left = files.filter((file) => file.name !== `${name}.pub`);
      if (left.length === files.length) throw nobody(name, where, files);
      if (left.length === 0) {
        throw new UsageError(
          `${name} is the last user in ${where}, and a folder without any is refused by "pulumi up": add somebody else first, or "npx pulumi config rm ${SETTING} --stack ${stack.name}" and "npx pulumi up --stack ${stack.name}"`,
        );
      }
      const [file, gone] = [join(where, `${name}.pub`), join(where, `.${name}.pub.gone`)];
      changing(where, () => renameSync(file, gone));
      try {
        await tell(left);
      } catch (error) {
        renameSync(gone, file);
        throw error;
      }
      rmSync(gone);
      return [
        `${name} is out within a minute: sessions, processes and kernels end, and files stay until the fleet ends.`,
      ];
    },
  };
}

/** Refusals name the setting, as at a preview. */
function inSetting<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw error instanceof UsageError ? error.renamed((argument) => `oneoff:${argument}`) : error;
  }
}

const checked = (files: readonly KeyFile[]): readonly UserKey[] => inSetting(() => usersOf(files));
const filesIn = (folder: string): readonly KeyFile[] => inSetting(() => keyFiles(folder));

/** The folder is known to take a change before any machine is told: by one that stayed there a user who is out would be in again. */
function changing(folder: string, change: () => void): void {
  try {
    change();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `${SETTING} is ${quote(folder)}, where nothing can be changed (${code}), so nobody was told anything: have the folder be yours to write to`,
    );
  }
}

const byName = (a: KeyFile, b: KeyFile): number => (a.name < b.name ? -1 : 1);

/** What was given: a file, or the key itself. */
function newKey(key: string, name: string | undefined): { readonly name: string; readonly line: string } {
  const isFile = statSync(key, { throwIfNoEntry: false })?.isFile() === true;
  if (!isFile && !/^[a-z0-9@.-]+ +AAAA/.test(key)) {
    throw new UsageError(
      `key is ${quote(key)}: expected a file, such as ~/.ssh/id_ed25519.pub, or what is in it, quoted`,
    );
  }
  const own = isFile ? basename(key).replace(/\.pub$/, "") : undefined;
  if (name === undefined && (own === undefined || /^id_/.test(own))) {
    throw new UsageError("name is missing: say whose key it is, as in: oneoff fleet users add KEY NAME");
  }
  return { name: name ?? (own as string), line: (isFile ? readFileSync(key, "latin1") : key).trim() };
}

const needsOf = (stack: string, name: string): readonly string[] => [
  `Beside the key ${name} needs an AWS identity that may do what "npx pulumi stack output colleaguePolicy --stack ${stack}" prints,`,
  `session-manager-plugin, the AWS CLI and ssh, and the two files that "npx --no oneoff fleet ssh --user ${name} --aws-cli -s ${stack}" writes.`,
];

function nobody(name: string, folder: string, files: readonly KeyFile[]): MissingError {
  const there = files.map((file) => file.name.replace(/\.pub$/, ""));
  return new MissingError(
    `name is ${quote(name)}: ${folder} has no such user; ${there.length === 0 ? "there are none" : `there are ${there.join(", ")}`}`,
  );
}

const fingerprint = (base64: string): string =>
  `SHA256:${createHash("sha256").update(Buffer.from(base64, "base64")).digest("base64").replace(/=+$/, "")}`;

/** @param changed when what machines are told was, in milliseconds. */
function listOf(
  folder: string | undefined,
  inFolder: readonly UserKey[],
  told: readonly UserKey[],
  seen: SeenFleet,
  changed = 0,
): FleetUsers {
  const has = (users: readonly UserKey[], user: UserKey) =>
    users.some(({ name, key }) => name === user.name && key === user.key);
  const all = [...inFolder, ...told.filter((user) => !has(inFolder, user))].sort((a, b) => (a.name < b.name ? -1 : 1));
  const users = all.map((user): FleetUser => {
    const [type = "", base64 = ""] = user.key.split(" ");
    const { name } = user;
    return { name, type, fingerprint: fingerprint(base64), inFolder: has(inFolder, user), onNodes: has(told, user) };
  });
  const running = nodesOf(seen).filter(({ machine }) => machine.state === "running");
  const confirmed = running.map(({ name, report }) => ({ name, at: report?.usersConfirmed ?? undefined }));
  return {
    folder,
    users,
    nodes: confirmed.map(({ name, at }) => ({ name, since: at && Date.parse(at) >= changed ? at : undefined })),
    warnings: [
      ...(users.some(({ inFolder, onNodes }) => inFolder !== onNodes)
        ? [`the folder and the nodes differ: "npx pulumi up --stack ${seen.stack}" makes them what the folder says`]
        : []),
      ...confirmed.flatMap(({ name, at }) => {
        const age = at === undefined ? 0 : secondsBetween(at, seen.now);
        const since = at === undefined ? "" : clock(at);
        return age > COPY_SECONDS
          ? [
              `${name} could not ask for the users since ${since} UTC, ${minutes(age)} ago, and admits nobody until it can`,
            ]
          : [];
      }),
    ],
  };
}
