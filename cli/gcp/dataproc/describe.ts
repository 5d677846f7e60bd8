/** What Dataproc says of a cluster. */
import type { Google } from "../client.ts";
import type { DataprocStack } from "./stack.ts";

/** As of https://cloud.google.com/dataproc/docs/reference/rest/v1/projects.regions.clusters#Cluster */
export interface Cluster {
  readonly clusterName: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly status?: { readonly state?: string; readonly detail?: string; readonly stateStartTime?: string };
  readonly config?: {
    readonly endpointConfig?: { readonly httpPorts?: Readonly<Record<string, string>> };
    readonly lifecycleConfig?: {
      readonly idleDeleteTtl?: string;
      readonly idleStartTime?: string;
      readonly autoDeleteTime?: string;
    };
  };
}

/** The cluster of mode `cluster`; undefined when it is no more, or the mode has none. */
export async function clusterNow(google: Google, stack: DataprocStack): Promise<Cluster | undefined> {
  const { project, region, cluster } = stack;
  if (cluster === undefined) return undefined;
  return google.orUndefined<Cluster>("dataproc", `v1/projects/${project}/regions/${region}/clusters/${cluster}`);
}

/** Whether a cluster can still do something, and so costs. */
export const isThere = (cluster: Cluster | undefined): cluster is Cluster =>
  cluster !== undefined && cluster.status?.state !== "DELETING";

/**
 * When a cluster ends by itself if nobody uses it.
 * @param idleSince what is known of that where Dataproc doesn't say.
 */
export function staysUntil({ config }: Cluster, idleSince: string | undefined): string | undefined {
  const { idleDeleteTtl, idleStartTime, autoDeleteTime } = config?.lifecycleConfig ?? {};
  const seconds = Number(/^(\d+(?:\.\d+)?)s$/.exec(idleDeleteTtl ?? "")?.[1]);
  const from = idleStartTime ?? idleSince;
  const idleEnd = seconds > 0 && from !== undefined ? Date.parse(from) + seconds * 1000 : Number.POSITIVE_INFINITY;
  const end = Math.min(idleEnd, autoDeleteTime === undefined ? Number.POSITIVE_INFINITY : Date.parse(autoDeleteTime));
  return Number.isFinite(end) ? new Date(end).toISOString() : undefined;
}
