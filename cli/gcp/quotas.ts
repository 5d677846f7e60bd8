/** Whether a project may have the machines of a stack. */
import type { Check } from "../check.ts";
import { checkedIfOn, type Google } from "./client.ts";
import type { Machines } from "./part.ts";

/** As of https://cloud.google.com/compute/docs/reference/rest/v1/regions */
export interface Quota {
  readonly metric: string;
  readonly limit: number;
  readonly usage: number;
}

/** Families whose machines count to quota CPUS; most others have one of their own. */
const PLAIN: ReadonlySet<string> = new Set(["E2", "N1", "F1", "G1", "BATCH"]);

/** What machines take, by quotas of a region that there are. */
export function taken(machines: readonly Machines[], regional: readonly Quota[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  const add = (metric: string, amount: number) => sums.set(metric, (sums.get(metric) ?? 0) + amount);
  const limitOf = (metric: string) => regional.find((quota) => quota.metric === metric)?.limit;
  for (const { count, type, vcpus, spot, disks } of machines) {
    const family = (type.split("-")[0] as string).toUpperCase();
    const own = `${family}_CPUS`;
    // A project that asked for none has its spot machines counted with the others.
    if (spot && (limitOf("PREEMPTIBLE_CPUS") ?? 0) > 0) add("PREEMPTIBLE_CPUS", count * vcpus);
    else {
      add(PLAIN.has(family) || limitOf(own) === undefined ? "CPUS" : own, count * vcpus);
      add("CPUS_ALL_REGIONS", count * vcpus);
    }
    for (const [metric, gigabytes] of Object.entries(disks)) add(metric, count * gigabytes);
  }
  return sums;
}

/** What there is of each quota against what the stack takes of it. */
export async function quotaChecks(
  google: Google,
  { project, region }: { readonly project: string; readonly region: string },
  machines: readonly Machines[],
): Promise<readonly Check[]> {
  if (machines.length === 0) return [];
  let checks: readonly Check[] = [];
  const all = await checkedIfOn("quotas", async () => {
    const below = `compute/v1/projects/${project}`;
    const [regional, global] = await Promise.all([
      quotasAt(google, `${below}/regions/${region}`),
      quotasAt(google, below),
    ]);
    const quotas = new Map([...global, ...regional].map((quota) => [quota.metric, quota]));
    checks = [...taken(machines, regional)].flatMap(([metric, needed]) => {
      const quota = quotas.get(metric);
      return quota ? [quotaCheck(quota, needed, metric === "CPUS_ALL_REGIONS" ? "all regions" : region, project)] : [];
    });
    return { name: "quotas", ok: true, detail: "" };
  });
  return all.every(({ ok }) => ok) ? checks : all;
}

async function quotasAt(google: Google, path: string): Promise<readonly Quota[]> {
  const { quotas = [] } = await google.request<{ readonly quotas?: readonly Quota[] }>("compute", path);
  return quotas;
}

function quotaCheck({ metric, limit, usage }: Quota, needed: number, where: string, project: string): Check {
  const free = Math.max(0, limit - usage);
  const unit = /_GB$/.test(metric) ? "GB of disks" : "vCPUs";
  const use = usage > 0 ? `, of which ${Math.round(usage)} are in use` : "";
  return {
    name: `quota ${metric}`,
    ok: free >= needed,
    detail: `${Math.ceil(needed)} ${unit} are needed, ${limit} are allowed in ${where}${use}`,
    cure: `Ask for more: https://console.cloud.google.com/iam-admin/quotas?project=${project}; or take fewer or smaller machines, or another region.`,
  };
}
