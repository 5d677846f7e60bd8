/** Where Pulumi keeps its state when the user has not said where: in a folder of the project, for local stacks only. */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isLocalBackend } from "../components/common/backend.ts";
import { readJson } from "../provider/json.ts";
import { startTimeOf } from "../provider/start-time.ts";

const FOLDER = join(".oneoff", "state");

/** The folder of the Pulumi project that the working directory is in, else the working directory. */
export function projectFolder(from = process.cwd()): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "Pulumi.yaml"))) return folder;
    if (folder === dirname(folder)) return resolve(from);
  }
}

/** Whether there is one. */
export const hasProject = (): boolean => existsSync(join(projectFolder(), "Pulumi.yaml"));

/** The user's own backend, by environment or login; undefined when there is none. */
export function ownBackend(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env.PULUMI_BACKEND_URL && !isLocalBackend(env.PULUMI_BACKEND_URL)) return env.PULUMI_BACKEND_URL;
  if (env.PULUMI_ACCESS_TOKEN) return "the service that PULUMI_ACCESS_TOKEN is for";
  const home = env.PULUMI_CREDENTIALS_PATH ?? env.PULUMI_HOME ?? join(homedir(), ".pulumi");
  const credentials = readJson(join(home, "credentials.json")) as { current?: string } | undefined;
  return credentials?.current || undefined;
}

/** Whether any stack can be: asking a backend that is not there would make it. */
export const hasBackend = (): boolean => ownBackend() !== undefined || existsSync(join(projectFolder(), FOLDER));

/**
 * Takes away locks of the project's own backend whose holder, an engine on this machine, was killed. Pulumi itself asks
 * for `pulumi cancel`, because elsewhere it can't know.
 */
export function releaseDeadLocks(backend: string): void {
  const locks = join(fileURLToPath(backend), ".pulumi", "locks");
  if (!existsSync(locks)) return;
  for (const entry of readdirSync(locks, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const lock = readJson(file) as { pid?: number; hostname?: string } | undefined;
    if (lock?.pid && lock.hostname === hostname() && startTimeOf(lock.pid) === undefined) rmSync(file);
  }
}

/**
 * What to put over the environment so that `pulumi` works on a local stack: nothing where the user has a backend, else
 * the project's own folder. Its passphrase is empty, because whoever can read that folder could read one kept beside it;
 * who gives a local job secrets sets a passphrase, which is kept.
 */
export function localBackendEnv(env: NodeJS.ProcessEnv = process.env): Readonly<Record<string, string>> {
  if (ownBackend(env)) return {};
  const folder = join(projectFolder(), FOLDER);
  mkdirSync(folder, { recursive: true });
  const hasPassphrase = env.PULUMI_CONFIG_PASSPHRASE !== undefined || env.PULUMI_CONFIG_PASSPHRASE_FILE !== undefined;
  return {
    PULUMI_BACKEND_URL: pathToFileURL(folder).href,
    ...(!hasPassphrase && { PULUMI_CONFIG_PASSPHRASE: "" }),
  };
}
