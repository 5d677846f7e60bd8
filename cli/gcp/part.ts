import type { Leftover, RehearsedResource } from "../platform.ts";
import type { Sweep } from "./leftovers/sweep.ts";

/** Machines that are there at a time. */
export interface Machines {
  readonly count: number;
  /** Such as "n2-standard-4"; a serverless batch has none of a name. */
  readonly type: string;
  readonly vcpus: number;
  readonly spot: boolean;
  /** Of each, in GB, by the quota that it counts to. */
  readonly disks: Readonly<Record<string, number>>;
}

/** What a stack wants of a project. */
export interface GoogleNeeds {
  readonly machines: readonly Machines[];
  /** Names of APIs, such as "compute". */
  readonly apis: readonly string[];
  /** What who brings it up must be allowed to do. */
  readonly permissions: readonly string[];
}

/** What a kind of cluster on Google Cloud adds to the checks and the search of its platform. */
export interface GcpPart {
  /** What it takes of the project beside what all resources do. */
  needs(resources: readonly RehearsedResource[]): GoogleNeeds;
  /** What is left of it and has the stack's label. */
  leftovers(sweep: Sweep): Promise<readonly Leftover[]>;
  /**
   * What is left of it and has none.
   * @param digits that end names of the stack's things.
   * @param labelled what was found by its label.
   */
  unlabelled(sweep: Sweep, digits: ReadonlySet<string>, labelled: readonly Leftover[]): Promise<readonly Leftover[]>;
  /** Label of a machine that has the name of its cluster. */
  readonly clusterLabel: string;
  /** Names of all clusters of the region, also those that end. */
  clusters(sweep: Sweep): Promise<readonly string[]>;
}
