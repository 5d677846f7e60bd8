/** The package as its users get it: packed, and installed elsewhere. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/**
 * Packs a tree and installs it, with what npm would install beside it: its dependencies and peers, and the types of Node that
 * Pulumi's template has.
 *
 * @returns the folder node_modules.
 */
export function installInto(home: string, tree = root): string {
  const modules = join(home, "node_modules");
  execFileSync("npm", ["pack", "--silent", "--pack-destination", home], {
    cwd: tree,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const archive = readdirSync(home).find((file) => file.endsWith(".tgz")) as string;
  execFileSync("tar", ["-xzf", archive], { cwd: home });
  mkdirSync(join(modules, "@pulumi"), { recursive: true });
  cpSync(join(home, "package"), join(modules, "pulumi-oneoff"), { recursive: true });
  for (const name of [...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }), "@types/node"]) {
    mkdirSync(join(modules, name, ".."), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  const bin = join(modules, ".bin");
  mkdirSync(bin, { recursive: true });
  const main = join(modules, "pulumi-oneoff", manifest.bin.oneoff);
  chmodSync(main, 0o755);
  symlinkSync(main, join(bin, "oneoff"));
  symlinkSync(join(root, "node_modules/.bin/pulumi"), join(bin, "pulumi"));
  return modules;
}
