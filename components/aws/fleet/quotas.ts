import { instanceType } from "../prices.ts";
import type { FleetPlan } from "./args.ts";

/** A quota of EC2, in vCPUs of all that runs in the region; often 0 for GPUs, and spot and on-demand apart. */
export interface Quota {
  readonly code: string;
  /** As the console of Service Quotas calls it. */
  readonly name: string;
}

interface Quotas {
  readonly onDemand: Quota;
  readonly spot: Quota;
}

const STANDARD: Quotas = {
  onDemand: { code: "L-1216C47A", name: "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances" },
  spot: { code: "L-34B43A08", name: "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests" },
};
const G: Quotas = {
  onDemand: { code: "L-DB2E81BA", name: "Running On-Demand G and VT instances" },
  spot: { code: "L-3819A6DF", name: "All G and VT Spot Instance Requests" },
};
const P: Quotas = {
  onDemand: { code: "L-417A185B", name: "Running On-Demand P instances" },
  spot: { code: "L-7212CCBC", name: "All P Spot Instance Requests" },
};

const quotasOf = (type: string): Quotas => (type.startsWith("g") ? G : type.startsWith("p") ? P : STANDARD);

type Workers = Pick<FleetPlan["workers"], "count" | "spot">;

/** Quotas that workers of such a type can count against, with how many of them at most. */
function workerQuotas(type: string, { count, spot }: Workers): readonly (Quota & { readonly workers: number })[] {
  const quotas = quotasOf(type);
  const onDemand = spot === undefined || spot.fallback === "on-demand" ? count : spot.onDemand;
  const bySpot = spot === undefined ? 0 : count - spot.onDemand;
  return [
    { ...quotas.spot, workers: bySpot },
    { ...quotas.onDemand, workers: onDemand },
  ].filter(({ workers }) => workers > 0);
}

/** Codes of the quotas that a worker of such a type can count against. */
export const quotaCodes = (type: string, workers: Workers): readonly string[] =>
  workerQuotas(type, workers).map(({ code }) => code);

export interface QuotaNeed extends Quota {
  /** The most that the fleet takes of it. */
  readonly vcpus: number;
}

/** What workers take of each quota at most: by the largest type that counts against it. */
export function workerNeeds(workers: FleetPlan["workers"]): readonly QuotaNeed[] {
  const needs = new Map<string, QuotaNeed>();
  for (const type of workers.types) {
    for (const { workers: many, ...quota } of workerQuotas(type, workers)) {
      const vcpus = many * instanceType(type).vcpus;
      needs.set(quota.code, { ...quota, vcpus: Math.max(vcpus, needs.get(quota.code)?.vcpus ?? 0) });
    }
  }
  return [...needs.values()];
}

/** What a fleet takes of each quota at most. */
export function quotaNeeds(plan: Pick<FleetPlan, "nodes" | "hdfs" | "workers">): readonly QuotaNeed[] {
  const needs = new Map(workerNeeds(plan.workers).map((need) => [need.code, need]));
  const standing = quotasOf(plan.nodes).onDemand;
  const vcpus = (1 + plan.hdfs.datanodes) * instanceType(plan.nodes).vcpus;
  needs.set(standing.code, { ...standing, vcpus: vcpus + (needs.get(standing.code)?.vcpus ?? 0) });
  return [...needs.values()];
}

/** Families whose quotas are none of these. */
const OTHERS = /^(dl|f|hpc|inf|mac|trn|u|vt|x)/;

/** The quota that a running instance counts against; undefined for families that no fleet has. */
export const quotaOf = (type: string, isSpot: boolean): Quota | undefined =>
  OTHERS.test(type) ? undefined : quotasOf(type)[isSpot ? "spot" : "onDemand"];
