import type { Leftover, RehearsedResource } from "../platform.ts";
import type { Sweep } from "./leftovers/sweep.ts";
import type { ServiceRole, Vcpus } from "./needs.ts";

/** What a kind of cluster on AWS adds to the checks and the search of its platform. */
export interface AwsPart {
  /** What it takes of the account's quotas beside instances that are resources. */
  vcpus(resources: readonly RehearsedResource[]): Vcpus;
  /** Roles that its service needs, of which an account has one. */
  roles(resources: readonly RehearsedResource[]): readonly ServiceRole[];
  /** What is left of it that neither tags nor names of instances tell. */
  leftovers(sweep: Sweep): Promise<readonly Leftover[]>;
}
