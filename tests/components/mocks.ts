/** Pulumi's mocks, with a record of every resource that was asked for. */
import * as pulumi from "@pulumi/pulumi";
import type { FakeOptions } from "../engine/fake-provider.ts";

export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly custom: boolean;
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";

/**
 * Starts recording; call it once per file, before the first resource.
 *
 * @param answers what the providers compute and return. @default what the local ones do
 */
export function record(answers: Pick<FakeOptions, "outputs" | "invoke"> = {}): { readonly resources: Registered[] } {
  const resources: Registered[] = [];
  pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, custom }) => {
        if (resources.some((other) => other.type === type && other.name === name)) {
          throw new Error(`two resources ${type} are called ${name}`);
        }
        resources.push({ type, name, inputs, custom: custom ?? false });
        const local = { url: "http://mock", state: "running", logs: "/logs" };
        return { id: `${name}-id`, state: { ...inputs, ...(answers.outputs?.(type, name, inputs) ?? local) } };
      },
      call: ({ token, inputs }) => answers.invoke?.(token, inputs) ?? inputs,
    },
    "oneoff",
    "test",
  );
  return { resources };
}

/** Runs a program's constructors to the end, so that every registration has arrived. */
export async function settle<T>(make: () => T): Promise<T> {
  try {
    return make();
  } finally {
    await pulumi.runtime.disconnect(); // else the process would not end after a refusal
  }
}

/** The value of an output. */
export const result = <T>(output: pulumi.Output<T>): Promise<T> =>
  new Promise((resolve) => output.apply((value) => resolve(value)));

export const isSecret = (value: unknown): boolean => typeof value === "object" && value !== null && SIGNATURE in value;
