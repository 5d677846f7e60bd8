import { GoogleError } from "../../../clients/google.ts";
import { isSharedLabel, Label } from "../../../core/labels.ts";
import { retry } from "../../../core/retry.ts";
import type { Leftover } from "../../platform.ts";
import { byHand, type Claim, stackIn, until } from "../../removal.ts";
import type { Google } from "../client.ts";

/** Whose things are looked for, and where. */
export interface Sweep {
  readonly google: Google;
  readonly project: string;
  readonly region: string;
  /** Value of label `oneoff-stack`. */
  readonly label: string;
  /** Project and stack. */
  readonly stack: string;
  /** Whose something is by its name. */
  readonly claim: Claim;
}

/** Where the library cuts a display name or description; see `ownedBy` in components/gcp/project.ts. */
const LONGEST_TEXT = 100;

/**
 * Whose something is by its description or display name: one that is cut before it tells project and stack may be another's.
 * @param remove what removes it by hand.
 * @returns the part of a leftover that says so; undefined when it is surely no stack's of this name.
 */
export function ownText(
  { stack }: Sweep,
  text: string | undefined,
  remove: () => string,
): Pick<Leftover, "unsure"> | undefined {
  if (stack.length < LONGEST_TEXT) return stackIn(text) === stack ? {} : undefined;
  return text === stack.slice(0, LONGEST_TEXT) ? { unsure: byHand(remove()) } : undefined;
}

/** In which order things can be removed: what makes others, what costs, then what nothing holds any more. */
export const Order = {
  orchestrators: 10,
  workflows: 15,
  batches: 20,
  clusters: 25,
  instances: 30,
  disks: 35,
  templates: 40,
  policies: 45,
  schedules: 50,
  datasets: 55,
  secrets: 60,
  buckets: 65,
  firewalls: 70,
  subnets: 75,
  networks: 80,
  accounts: 90,
  bindings: 95,
} as const;

export interface Labelled {
  readonly labels?: Readonly<Record<string, string>>;
}

/** Labels are looked at here too: not every API filters by all of a value. */
export const hasLabel = ({ labels }: Labelled, { label }: Sweep): boolean => labels?.[Label.stack] === label;

/** What labels tell of a leftover that was found by them. */
export function ownershipOf({ labels }: Labelled, { stack }: Sweep): Pick<Leftover, "lake" | "kept" | "unsure"> {
  const lake = labels?.[Label.lake];
  return {
    ...(lake && { lake }),
    ...(labels?.[Label.removal] === "retain" && { kept: true }),
    ...(isSharedLabel(stack) && { unsure: SHARED }),
  };
}

const SHARED =
  "its label is that of each stack whose underscores end up alike; if it is yours, remove it in the console";

/** When it was made, as part of a leftover. */
export const since = (time: string | undefined): Pick<Leftover, "since"> => (time ? { since: new Date(time) } : {});

/** The last part of a resource's name. */
export const lastOf = (name: string): string => name.split("/").at(-1) as string;

/**
 * The 8 random digits that names of one component end with; undefined where a name is none that the library makes: a user's
 * own may end in a date. Behind them the cluster of a workflow has digits of the service's.
 */
export const digitsOf = (name: string): string | undefined =>
  /^oneoff-(?:.+-)?([0-9a-f]{8})(?:-[a-z0-9]{13})?$/.exec(name)?.[1];

/** The same of a service account's email: the library names those of a stack, and not by `oneoff-`. */
export const accountDigits = (email: string): string | undefined => /^[a-z][a-z0-9-]*-([0-9a-f]{8})@/.exec(email)?.[1];

/** A long-running operation, as most of Google's APIs have it. */
interface Operation {
  readonly name?: string;
  readonly done?: boolean;
  readonly error?: { readonly code?: number; readonly message?: string };
}

const NOT_FOUND = 5;

/** Removes something and waits until that is done. What is gone already is. @param version of the API, "v1". */
export async function removeAndWait(google: Google, service: string, version: string, path: string): Promise<void> {
  const operation = await google.orUndefined<Operation>(service, `${version}/${path}`, { method: "DELETE" });
  if (operation?.name) await finished(google, service, version, operation);
}

/** Waits for an operation. @throws Error with what it failed with. */
export async function finished(google: Google, service: string, version: string, begun: Operation): Promise<void> {
  let operation: Operation | undefined = begun;
  await until(async () => {
    if (operation?.done) return true;
    operation = await google.orUndefined<Operation>(service, `${version}/${begun.name}`);
    return operation === undefined || operation.done === true;
  });
  const { error } = operation ?? {};
  if (error && error.code !== NOT_FOUND) throw new Error(error.message ?? "Google doesn't say why");
}

/** Removes something of Compute Engine, and waits. @param path below the project, such as "global/networks/n". */
export async function removeCompute({ google, project }: Sweep, path: string): Promise<void> {
  interface ComputeOperation {
    readonly name: string;
    readonly status?: string;
    readonly error?: { readonly errors?: readonly { readonly message?: string }[] };
  }
  const below = `compute/v1/projects/${project}`;
  const begun = await google.orUndefined<ComputeOperation>("compute", `${below}/${path}`, { method: "DELETE" });
  if (!begun) return;
  const place = path.split("/").slice(0, path.startsWith("global/") ? 1 : 2);
  let operation: ComputeOperation | undefined = begun;
  await until(async () => {
    if (operation?.status === "DONE") return true;
    operation = await google.orUndefined("compute", `${below}/${place.join("/")}/operations/${begun.name}`);
    return operation === undefined || operation.status === "DONE";
  });
  const [error] = operation?.error?.errors ?? [];
  if (error) throw new Error(error.message ?? "Google doesn't say why");
}

/** Does what fails when somebody else does it at the same time. */
export const patiently = <T>(action: () => Promise<T>): Promise<T> =>
  retry(action, {
    isTransient: (error) => error instanceof GoogleError && (error.code === 409 || error.code === 412),
    tries: 5,
  });
