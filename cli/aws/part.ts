import type { QuotaNeed } from "../../components/aws/fleet/quotas.ts";
import type { Check } from "../check.ts";
import type { Leftover, RehearsedResource } from "../platform.ts";
import type { Sweep } from "./leftovers/sweep.ts";
import type { ServiceRole, Vcpus } from "./needs.ts";

/** What a kind of cluster on AWS adds to the checks and the search of its platform. */
export interface AwsPart {
  /** What it takes of the account's quotas beside instances that are resources. */
  vcpus(resources: readonly RehearsedResource[]): Vcpus;
  /** What it takes of quotas, whatever family they are for. @default what `vcpus` says */
  quotas?(resources: readonly RehearsedResource[]): readonly QuotaNeed[];
  /** What else must be there. @default nothing */
  checks?(region: string, resources: readonly RehearsedResource[]): readonly Promise<Check>[];
  /** Roles that its service needs, of which an account has one. */
  roles(resources: readonly RehearsedResource[]): readonly ServiceRole[];
  /** What is left of it that neither tags nor names of instances tell. */
  leftovers(sweep: Sweep): Promise<readonly Leftover[]>;
}
