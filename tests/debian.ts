/** Programs of Debian's that a machine of tests may lack: fetched once, unpacked and kept in the user's cache. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "./cache.ts";

/** A folder with what the packages have, as it would be in the root. */
export function debianPackages(name: string, packages: readonly string[]): string {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return folder;
  mkdirSync(CACHE, { recursive: true });
  const fresh = mkdtempSync(`${folder}.`);
  const inFresh = { cwd: fresh, stdio: "pipe" } as const;
  execFileSync("apt-get", ["download", ...packages], inFresh);
  for (const file of readdirSync(fresh)) {
    execFileSync("dpkg", ["-x", file, "."], inFresh);
    rmSync(join(fresh, file));
  }
  if (existsSync(folder)) rmSync(fresh, { recursive: true });
  else renameSync(fresh, folder);
  return folder;
}

/** OpenSSH's server: this machine's, or Debian's package of it. */
export const opensshRoot = (): string =>
  existsSync("/usr/sbin/sshd") ? "/" : debianPackages("openssh-server", ["openssh-server", "libwrap0"]);

/** The program nft. */
export const nftablesRoot = (): string =>
  debianPackages("nftables", ["nftables", "libnftables1", "libnftnl11", "libjansson4", "libedit2", "libxtables12"]);
