import type { CheckFailure, CreateResult, DiffResult } from "@pulumi/pulumi/provider/index.js";

// biome-ignore lint/suspicious/noExplicitAny: properties come from the engine; each kind parses its own.
export type Properties = any;

/** One kind of resource of the local provider. Properties come without the engine's marks for secrets. */
export interface ResourceKind {
  /** What is wrong with the inputs, as far as this machine can tell before anything is made. */
  check(
    urn: string,
    inputs: Properties,
    oldInputs?: Properties,
  ): Promise<readonly CheckFailure[]> | readonly CheckFailure[];
  diff(state: Properties, inputs: Properties): DiffResult;
  create(urn: string, inputs: Properties): Promise<CreateResult>;
  /** The state as it is now, undefined when the thing is gone. */
  read(state: Properties): Promise<Properties | undefined>;
  update(state: Properties, inputs: Properties, urn?: string): Promise<Properties>;
  delete(state: Properties, urn?: string): Promise<void>;
  /** The inputs that would lead to this state. */
  inputsOf(state: Properties): Properties;
}

const SIGNATURE = "4dabf18193072939515e22adb298388d"; // the engine's mark of a special value
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"; // stands for a value that only `up` will know

/** Properties with secrets unwrapped and unknown values left out. */
export function plain(value: Properties): Properties {
  if (value === UNKNOWN) return undefined;
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  if (SIGNATURE in value) return plain(value.value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

export const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

function sorted(value: Properties): Properties {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)]));
}
