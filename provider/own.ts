/** Files and folders that nobody else can have prepared: what we write may be secret, and what we read is acted on. */
import { lstatSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

const BY_ALL = 0o002;
const BY_GROUP = 0o020;

/** Why a folder can't be taken for our own; undefined when it can, also where it isn't there or the system has no owners. */
export function distrust(path: string): string | undefined {
  const us = process.geteuid?.();
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (us === undefined || !there) return undefined;
  const isStranger = (uid: number) => uid !== us && uid !== 0; // root may do anything anyway
  if (there.isSymbolicLink() && isStranger(there.uid)) return `${path} is a link that user ${there.uid} made`;
  const { uid, gid, mode } = statSync(path);
  if (isStranger(uid)) return `${path} belongs to user ${uid}, and you are user ${us}`;
  if (mode & BY_ALL) return `everybody may write in ${path}`;
  if (mode & BY_GROUP && gid !== process.getegid?.()) return `group ${gid} may write in ${path}`;
  return undefined;
}

/** Whether something is a folder, and no link to one, that {@link distrust} has nothing against. */
export const isOwnFolder = (path: string): boolean =>
  (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false) && distrust(path) === undefined;

/** The folders in a folder that are our own; none where that isn't. */
export const ownFoldersIn = (path: string): readonly string[] =>
  isOwnFolder(path)
    ? readdirSync(path)
        .map((name) => join(path, name))
        .filter(isOwnFolder)
    : [];

/**
 * Makes a folder below a lake of ours that nobody else may look into, and what is missing on the way there.
 * @throws Error when something on the way isn't our own folder: what is put there would be another's to read.
 */
export function makeOwnFolder(lake: string, folder: string): void {
  let path = lake;
  for (const name of relative(lake, folder).split(sep)) {
    if (name === "..") throw new Error(`${folder} is not within the lake ${lake}`);
    path = join(path, name);
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (!there) mkdirSync(path, { mode: 0o700 });
    else if (!there.isDirectory()) throw new Error(`${path} is not a folder, and ought to be one: remove it by hand`);
    const reason = distrust(path);
    if (reason) throw new Error(`${reason}: nothing is put there; remove it by hand`);
  }
}

/** Writes a new file that only we may read, in place of whatever is there: never through a link, nor into another's file. */
export function writeOwn(file: string, content: string | Uint8Array): void {
  rmSync(file, { force: true });
  writeFileSync(file, content, { mode: 0o600, flag: "wx" });
}
