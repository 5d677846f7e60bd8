/** Software that a stack needs, as a resource: it stays when the stack goes, as other stacks may have it. */
import { existsSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { digestOf, fetched, type Wanted } from "./fetched.ts";
import { isSame, type ResourceKind } from "./resource.ts";

interface SoftwareState extends Wanted {
  readonly digest: string;
  readonly folder: string;
}

export const software: ResourceKind = {
  check: (_urn, { lock }: Wanted) =>
    existsSync(lock) ? [] : [{ property: "lock", reason: `lock is ${JSON.stringify(lock)}, which is not there` }],
  diff({ digest, folder, ...state }: SoftwareState, inputs: Wanted) {
    return { changes: !isSame(state, inputs) || digest !== digestOf(inputs) || !existsSync(folder) };
  },
  async create(_urn, inputs: Wanted) {
    const outs = await provide(inputs);
    return { id: outs.folder, outs };
  },
  read: async (state: SoftwareState) => (existsSync(state.folder) ? state : undefined),
  update: async (_state, inputs: Wanted) => provide(inputs),
  delete: async () => {}, // other stacks may have it
  inputsOf: ({ name, lock, python }: SoftwareState) => ({ name, lock, ...(python && { python }) }),
};

const provide = async (inputs: Wanted): Promise<SoftwareState> => ({
  ...inputs,
  digest: digestOf(inputs),
  folder: await fetched(inputs, say),
});

const say = (text: string): void => void pulumi.log.info(text, undefined, undefined, true);
