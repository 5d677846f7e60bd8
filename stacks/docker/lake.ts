import { isAbsolute, resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { endpointOf } from "../../clients/docker.ts";
import { type FolderLake, Removal } from "../../components/docker/index.ts";
import { quote, UsageError } from "../../core/errors.ts";

/** Settings of a stack on Docker that a lake hangs on. */
interface LakeSettings {
  readonly lake: string;
  readonly removal: Removal;
  readonly user?: string | undefined;
}

/** Whether Docker is on another machine, whose folders can't be made or deleted from here. */
export function isRemote(): boolean {
  const config = new pulumi.Config("docker");
  const given = ["context", "host"].map((key) => [`docker:${key}`, config.get(key) ?? ""]);
  return /^(ssh|tcp|http):/.test(endpointOf(Object.fromEntries(given), process.env).value);
}

/**
 * The folder of a stack's results, on the machine where Docker is.
 *
 * @param cure what else the setting can be.
 * @throws UsageError for a folder that can't be made there, or whose user couldn't write into it.
 */
export function folderOf({ lake, removal, user }: LakeSettings, cure = ""): FolderLake {
  const own = `${process.getuid?.()}:${process.getgid?.()}`;
  if (!isRemote() && user !== undefined && user !== own && process.getuid?.() !== 0) {
    throw new UsageError(
      `oneoff:user is ${quote(user)}, and the lake's folder is made by you (${own}), so that user can't write there; leave oneoff:user out`,
    );
  }
  if (!isRemote()) return { path: resolve(pulumi.getRootDirectory(), lake) };
  if (isAbsolute(lake) && removal === Removal.retain) return { path: lake };
  throw new UsageError(
    `oneoff:lake is ${quote(lake)} and docker:host another machine, where a folder is neither made nor deleted from here: make one there, set oneoff:lake to its absolute path and oneoff:removal to retain${cure}`,
  );
}
