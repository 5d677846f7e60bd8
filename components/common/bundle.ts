import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BundleName } from "../../assets/manifest.ts";
import { UsageError } from "../../core/errors.ts";

/**
 * Folder of something that runs in the cloud, built by engine/bundles.ts: beside the compiled library when published,
 * else where set-up puts it.
 *
 * @throws UsageError when it isn't built.
 */
export function bundle(name: BundleName): string {
  const root = join(import.meta.dirname, "../..");
  const folder = [join(root, "bundles", name), join(root, ".oneoff/bundles", name)].find((path) => existsSync(path));
  if (!folder) throw new UsageError(`${name} is not built: "npm start" or "node engine/bundles.ts" builds it`);
  return folder;
}
