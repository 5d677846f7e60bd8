/** Software that a stack needs and this machine lacks: fetched once, and kept in the user's cache for all stacks. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { userCache } from "../clients/user-cache.ts";
import { fetchJars } from "./jars.ts";
import { tail } from "./log.ts";
import { ownEnvironment } from "./process.ts";
import { isSame, type ResourceKind } from "./resource.ts";

/** Files between two words of how far it is. */
const TOLD_EVERY = 20;

/** See components/local/software.ts. */
interface SoftwareInputs {
  readonly name: string;
  readonly lock: string;
  readonly python?: string;
}

interface SoftwareState extends SoftwareInputs {
  readonly digest: string;
  readonly folder: string;
}

export const software: ResourceKind = {
  check: (_urn, { lock }: SoftwareInputs) =>
    existsSync(lock) ? [] : [{ property: "lock", reason: `lock is ${JSON.stringify(lock)}, which is not there` }],
  diff({ digest, folder, ...state }: SoftwareState, inputs: SoftwareInputs) {
    return { changes: !isSame(state, inputs) || digest !== digestOf(inputs) || !existsSync(folder) };
  },
  async create(_urn, inputs: SoftwareInputs) {
    const outs = await provide(inputs);
    return { id: outs.folder, outs };
  },
  read: async (state: SoftwareState) => (existsSync(state.folder) ? state : undefined),
  update: async (_state, inputs: SoftwareInputs) => provide(inputs),
  delete: async () => {}, // other stacks may have it
  inputsOf: ({ name, lock, python }: SoftwareState) => ({ name, lock, ...(python && { python }) }),
};

/** It is the same as long as what is locked is, and the Python that it is for. */
const digestOf = ({ lock, python }: SoftwareInputs): string =>
  createHash("sha256")
    .update(readFileSync(lock))
    .update(python ?? "")
    .digest("hex")
    .slice(0, 16);

async function provide(inputs: SoftwareInputs): Promise<SoftwareState> {
  const digest = digestOf(inputs);
  const folder = join(userCache(), `${inputs.name}-${digest}`);
  if (!existsSync(folder)) await make(inputs, folder);
  return { ...inputs, digest, folder };
}

/** It is there whole or not at all. */
async function make(inputs: SoftwareInputs, folder: string): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  const fresh = mkdtempSync(`${folder}.`);
  try {
    say(`${inputs.name} is fetched, once for this machine`);
    if (inputs.python === undefined) {
      await fetchJars(fresh, inputs.lock, (done, all) => {
        if (done % TOLD_EVERY === 0 || done === all) say(`${inputs.name}: ${done} of ${all} files`);
      });
    } else await install(inputs.python, inputs.lock, fresh);
    if (!existsSync(folder)) renameSync(fresh, folder); // else another stack was faster
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

const say = (text: string): void => void pulumi.log.info(text, undefined, undefined, true);

/** @throws Error with the last that pip said. */
function install(python: string, lock: string, folder: string): Promise<void> {
  const options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "--no-deps"];
  const pip = ["-m", "pip", "install", ...options, "--target", folder, "--requirement", lock];
  return new Promise((resolve, reject) => {
    execFile(python, pip, { env: ownEnvironment(), maxBuffer: 1 << 26 }, (error, out, err) => {
      if (!error) return resolve();
      reject(new Error(`${lock} could not be installed for ${python}:\n${tail(`${out}${err}`) || error.message}`));
    });
  });
}
