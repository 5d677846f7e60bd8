import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Prefix } from "../../../core/lake-layout.ts";
import { ASSETS } from "../../common/node-code.ts";
import { appService, MODELS } from "../../common/services/app.ts";
import type { Statement } from "../iam.ts";
import type { S3Lake } from "../lake.ts";
import { ACCESS, serviceUnit } from "./units.ts";

const SCORING = join(ASSETS, "scoring");

/** Reaches no secret of the fleet's; who else is on the head can't read what is its own. */
const APP_USER = "oneoff-app";

/** Where it listens, as the head's other pages do. */
export const APP_PORT = 8000;

/** How often it looks for a model: each look is some requests to S3, which cost. */
export const LOOK_SECONDS = 60;

/** What of the lake it may read: models, and which run has the newest. */
export const appStatements = (lake: S3Lake): readonly Statement[] => lake.statements.read([MODELS, Prefix.runs]);

/** Its files, by the path that they have in its part of the software. */
export function appFiles(): Readonly<Record<string, string>> {
  const below = (folder: string, files: readonly string[]) =>
    files.map((file): [string, string] => [`${folder}/${file}`, join(ASSETS, folder, file)]);
  return Object.fromEntries([
    ...below(
      "scoring",
      readdirSync(SCORING).filter((file) => file.endsWith(".py")),
    ),
    ...below("scoring/page", readdirSync(join(SCORING, "page"))),
    ...below("jobs", ["networks.py", "oneoff.py"]),
    ...below("jobs/nids", ["nids_arrays.py", "nids_input.py", "nids_layouts.py"]),
  ]);
}

/** What its files import. */
export const APP_REQUIREMENTS = join(SCORING, "requirements.txt");

/** @param lake "s3://bucket". */
export function appUnit(lake: string): string {
  const env = {
    AWS_CONFIG_FILE: `${ACCESS}/app`,
    AWS_EC2_METADATA_DISABLED: "true", // root's alone
    ONEOFF_LOOK: String(LOOK_SECONDS),
  };
  // Looking at a model may take all memory, and the namenode is on the same machine: that look ends then, and nothing else.
  const limits = ["MemoryMax=2G", "OOMPolicy=continue"];
  return serviceUnit(appService({ model: `${lake}/${MODELS}` }, "scoring"), APP_USER, env, limits);
}
