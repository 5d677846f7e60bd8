import { Tag } from "../../../core/tags.ts";

/** Whose things are looked for, and where. */
export interface Sweep {
  readonly region: string;
  /** Value of tag `oneoff:stack`. */
  readonly stack: string;
  /** Whether a name that tells project and stack is of this stack, and not of one whose name goes on. */
  readonly isOwnName: (name: string) => boolean;
}

/** In which order things can be removed: what costs first, then what nothing holds any more. */
export const Order = {
  groups: 10,
  machines: 20,
  functions: 30,
  tables: 40,
  endpoints: 50,
  interfaces: 55,
  disks: 60,
  securityGroups: 65,
  subnets: 70,
  routes: 75,
  gateways: 80,
  networks: 85,
  buckets: 90,
  settings: 92,
  profiles: 94,
  roles: 95,
  policies: 96,
  keys: 98,
} as const;

interface AwsTag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** The lake that something's tags name, as part of a leftover. */
export function lakeIn(tags: readonly AwsTag[] | undefined): { readonly lake?: string } {
  const lake = tags?.find(({ Key }) => Key === Tag.lake)?.Value;
  return lake ? { lake } : {};
}
