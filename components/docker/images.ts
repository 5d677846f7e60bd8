import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { DIGEST_LENGTH } from "./args.ts";

const IMAGES = join(import.meta.dirname, "../../assets/images");

export interface ImageBuildArgs {
  /** Where the image is pushed, so that other machines can have it: "registry.example.com/team". @default this machine alone */
  readonly registry?: string | undefined;
  /** Arguments of the Dockerfiles: BASE (Debian), MAVEN (address of a Maven repository). @default what the Dockerfiles say */
  readonly buildArgs?: Readonly<Record<string, string>> | undefined;
}

/**
 * An image built from a folder of assets/images, or from `context`. Its tag is a digest of what it is made of: it is
 * built once, by whichever stack wants it first, and stays when the stack goes, as the next stack will want it too.
 *
 * @returns the image's name, by digest where it is pushed.
 */
export function builtImage(
  name: string,
  folder: string,
  { registry, buildArgs = {} }: ImageBuildArgs,
  parent: pulumi.Resource,
  context = join(IMAGES, folder),
): pulumi.Output<string> {
  const repository = [registry, `oneoff-${folder}`].filter(Boolean).join("/");
  const image = new docker.RemoteImage(
    `${name}-${folder}-image`,
    {
      name: `${repository}:${digestOf(context, buildArgs)}`,
      build: { context, dockerfile: "Dockerfile", buildArgs: { ...buildArgs } },
      keepLocally: true,
    },
    // Where the folder lies makes no other image, and what lies in it is in the tag.
    { parent, ignoreChanges: ["build"] },
  );
  if (registry === undefined) return image.name;
  const pushed = new docker.RegistryImage(
    `${name}-${folder}-pushed`,
    { name: image.name, keepRemotely: true },
    { parent },
  );
  return pulumi.interpolate`${repository}@${pushed.sha256Digest}`;
}

function digestOf(context: string, buildArgs: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256").update(JSON.stringify(Object.entries(buildArgs).sort()));
  const files = readdirSync(context, { recursive: true, withFileTypes: true }).filter(
    (file) => file.isFile() && !file.name.endsWith(".in"),
  );
  for (const path of files.map((file) => join(file.parentPath, file.name)).sort()) {
    hash.update(`\0${path.slice(context.length)}\0`).update(readFileSync(path));
  }
  return hash.digest("hex").slice(0, DIGEST_LENGTH);
}
