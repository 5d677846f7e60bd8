import { Tag } from "../../../core/tags.ts";
import type { Claim } from "../../removal.ts";

/** Whose things are looked for, and where. */
export interface Sweep {
  readonly region: string;
  /** Value of tag `oneoff:stack`. */
  readonly stack: string;
  /** What the region's tags say: all that has `oneoff:stack`, of whatever stack, there or gone meanwhile. */
  readonly tagged: readonly Tagged[];
  /** Whose something is that has no tags, by its name and what else says it. */
  readonly claim: Claim;
}

export interface Tagged {
  readonly arn: string;
  readonly tags: readonly AwsTag[];
}

/** Value of tag `oneoff:stack`. */
export const ownerIn = (tags: readonly AwsTag[] | undefined): string | undefined =>
  tags?.find(({ Key }) => Key === Tag.stack)?.Value;

/** The owners of things by their ARNs, as far as tags say. */
export const ownersOf = ({ tagged }: Sweep, arns: readonly string[]): readonly string[] =>
  tagged.filter(({ arn }) => arns.includes(arn)).flatMap(({ tags }) => ownerIn(tags) ?? []);

/** The owners of what begins like a name and has the same 8 digits, which are a component's own. */
export function ownersByDigits({ tagged }: Sweep, name: string): readonly string[] {
  const like = /^([a-z0-9]+-).*(-[0-9a-f]{8})$/.exec(name);
  if (!like) return [];
  const [, first = "", digits = ""] = like;
  const named = tagged.filter(({ arn }) => {
    const last = arn.split(/[:/]/).findLast((part) => part.startsWith(first)) ?? "";
    return last.replace(/-[a-zA-Z0-9]{6}$/, "").endsWith(digits) || last.endsWith(digits); // secrets get 6 characters more
  });
  return named.flatMap(({ tags }) => ownerIn(tags) ?? []);
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

export interface AwsTag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** The lake that something's tags name, as part of a leftover. */
export function lakeIn(tags: readonly AwsTag[] | undefined): { readonly lake?: string } {
  const lake = tags?.find(({ Key }) => Key === Tag.lake)?.Value;
  return lake ? { lake } : {};
}
