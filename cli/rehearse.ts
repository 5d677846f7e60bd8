import * as pulumi from "@pulumi/pulumi";
import { setAllConfig } from "@pulumi/pulumi/runtime/config.js";
import * as state from "@pulumi/pulumi/runtime/state.js";
import { type StackProgram, settingsOf } from "../components/common/stack.ts";
import { type BillLine, ceiling } from "../core/bill.ts";
import { UsageError } from "../core/errors.ts";
import { projectFolder } from "../engine/backend.ts";
import type { StackFiles } from "./config.ts";
import type { Rehearsed, RehearsedResource } from "./platform.ts";
import { platforms } from "./registry.ts";

/** What a program would do, told without credentials and without making anything. */
export interface Rehearsal {
  readonly bill: readonly BillLine[];
  /** USD at most. */
  readonly ceiling: number;
  readonly resources: readonly RehearsedResource[];
  /** Why `pulumi up` would refuse. @default it would not */
  readonly refusal?: string;
}

/**
 * Runs a stack's program under Pulumi's mocks.
 * @throws UsageError when it refuses its settings, unless that is because they allow less than it costs.
 */
export async function rehearse(program: StackProgram, files: StackFiles): Promise<Rehearsal> {
  try {
    return await run(program, files);
  } catch (error) {
    const refusal = withoutSecrets(error as Error, files);
    const { "oneoff:maxCost": limit, ...config } = files.config;
    if (limit === undefined || !(refusal instanceof UsageError && refusal.names("maxCost"))) throw refusal;
    return { ...(await run(program, { ...files, config })), refusal: refusal.message };
  }
}

async function run(program: StackProgram, { project, stack, config, secret }: StackFiles): Promise<Rehearsal> {
  const resources: RehearsedResource[] = [];
  const rehearsed = platforms.map(({ provider, rehearsal }) => ({ provider, ...rehearsal?.(config) }));
  // As in a preview, what the mocks don't know is not known, and what depends on it is not run.
  await pulumi.runtime.setMocks(mocks(resources, rehearsed), project, stack, true);
  inFolder(projectFolder());
  setAllConfig({ ...Object.assign({}, ...rehearsed.map((platform) => platform.config)), ...config }, [...secret]);
  const settings = settingsOf(program, config);
  return withoutPreviewLog(async () => {
    const outputs = program.run(settings);
    const bill = ((await known(outputs.bill)) as readonly BillLine[] | undefined) ?? [];
    const most = ((await known(outputs.ceiling)) as number | undefined) ?? ceiling(bill);
    await pulumi.runtime.disconnect(); // every resource has been asked for
    return { bill, ceiling: most, resources };
  });
}

/** Has relative paths begin at a folder, which mocks say nothing about; Pulumi's types leave this out. */
function inFolder(folder: string): void {
  type State = { getStore(): { readonly settings: { readonly options: { rootDirectory?: string } } } };
  (state as unknown as State).getStore().settings.options.rootDirectory = folder;
}

/** Leaves out what a program tells its user at a preview: without an engine, Pulumi prints it as if it were ours. */
async function withoutPreviewLog<T>(action: () => Promise<T>): Promise<T> {
  const { log } = console;
  console.log = (...printed: unknown[]) => {
    if (!/^(info|debug): \[runtime\]/.test(String(printed[0]))) log(...printed);
  };
  try {
    return await action();
  } finally {
    console.log = log;
  }
}

const known = (value: pulumi.Input<unknown>): Promise<unknown> =>
  new Promise((resolve) => {
    const output = pulumi.output(value) as pulumi.Output<unknown> & { readonly isKnown: Promise<boolean> };
    output.isKnown.then((is) => (is ? output.apply(resolve) : resolve(undefined)));
  });

type OnPlatform = Rehearsed & { readonly provider: string };

/** What is asked for is noted and answered as far as the platforms do. */
export function mocks(resources: RehearsedResource[], platforms: readonly OnPlatform[]): pulumi.runtime.Mocks {
  return {
    newResource({ type, name, inputs }) {
      const id = `${name}-id`;
      resources.push({ type, name, id, inputs });
      const made = platforms.find(({ provider }) => type.startsWith(provider))?.state?.(name);
      return { id, state: { name, hex: "00000000", bucket: name, ...made, ...inputs } };
    },
    call: ({ token, inputs }) => ({
      ...inputs,
      ...platforms.map(({ answers }) => answers?.[token]).find((answer) => answer !== undefined),
    }),
  };
}

/** The program isn't told what is secret; an error about that says so. */
function withoutSecrets(error: Error, { config, secret }: StackFiles): Error {
  const key = secret.find((key) => !(key in config) && error instanceof UsageError && error.names(key));
  if (key === undefined) return error;
  return new UsageError(`${key} is a secret, and those are left out: give another value with --set ${key}=VALUE`);
}
