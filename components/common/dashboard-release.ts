import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { DashboardConfig } from "../../assets/dashboard/config.ts";
import { checkName, Prefix } from "../../core/lake-layout.ts";
import { bundle } from "./bundle.ts";

/** Port of the page on a dashboard's instance. */
export const PORT = 8765;

/** What a dashboard's instance runs, as it lies in the lake. */
export interface Release {
  /** Where the dashboard's releases are in the lake: `_dashboard/<name>`. */
  readonly prefix: string;
  /** Digest of all of it. */
  readonly digest: pulumi.Output<string>;
  readonly objects: readonly ReleaseObject[];
}

/** One object of a release. */
export interface ReleaseObject {
  /** Name for its resource. */
  readonly name: string;
  readonly key: pulumi.Output<string>;
  /** What is in it: a file as it was built, or text. */
  readonly from: { readonly source: pulumi.asset.FileAsset } | { readonly content: pulumi.Output<string> };
}

/**
 * The release of a dashboard, under the digest of all of it. The instance looks every minute which digest it is to run,
 * and that must be told last, at `<prefix>/current`: so it never sees half a release.
 */
export function dashboardRelease(name: string, config: pulumi.Input<DashboardConfig>): Release {
  const prefix = `${Prefix.dashboard}/${checkName(name, "name of the dashboard")}`;
  const files = builtFiles();
  const hash = createHash("sha256");
  for (const [key, path] of Object.entries(files)) hash.update(`${key}\0`).update(readFileSync(path));
  const built = hash.digest("hex");
  const content = pulumi.output(config).apply((config) => JSON.stringify(config));
  const digest = content.apply((text) => createHash("sha256").update(`${built}${text}`).digest("hex").slice(0, 16));
  const object = (resource: string, key: string, from: ReleaseObject["from"]): ReleaseObject => ({
    name: `${name}-${resource}`,
    key: pulumi.interpolate`${prefix}/${digest}/${key}`,
    from,
  });
  return {
    prefix,
    digest,
    objects: [
      ...Object.entries(files).map(([key, path]) =>
        object(key.replaceAll("/", "-"), key, { source: new pulumi.asset.FileAsset(path) }),
      ),
      object("config", "config.json", { content }),
    ],
  };
}

/** Key below the release, and the built file that goes there. */
function builtFiles(): Readonly<Record<string, string>> {
  const folder = bundle("dashboard");
  const page = join(folder, "page");
  return {
    "index.mjs": join(folder, "index.mjs"),
    ...Object.fromEntries(
      readdirSync(page)
        .filter((file) => !file.endsWith(".txt"))
        .sort()
        .map((file) => [`page/${file}`, join(page, file)]),
    ),
  };
}
