import { UsageError } from "../../../core/errors.ts";
import type { Page, Route } from "../../platform.ts";
import type { Google } from "../client.ts";
import { dashboardRoute } from "../dashboard.ts";
import { clusterNow, isThere } from "./describe.ts";
import type { DataprocStack } from "./stack.ts";

/** Where to look at a stack: the component gateway's pages and Google's own, which ask for Google's identity. */
export async function pagesOf(google: Google, stack: DataprocStack): Promise<readonly Page[]> {
  const { dashboard, dashboardInstance, dataset } = stack;
  const cluster = await clusterNow(google, stack);
  const gateway = isThere(cluster) ? Object.entries(cluster.config?.endpointConfig?.httpPorts ?? {}) : [];
  return [
    ...(dashboard !== undefined && dashboardInstance !== undefined
      ? [{ name: "dashboard", title: "Dashboard", address: dashboard }]
      : []),
    ...gateway.map(([title, address]) => ({ title, address })),
    { title: "Dataproc", address: dataprocConsole(stack) },
    ...(dataset === undefined ? [] : [{ title: "BigQuery", address: bigQueryConsole(stack) }]),
  ];
}

/** @throws UsageError when the stack has no such page, or it is no more. */
export const routeTo = (google: Google, stack: DataprocStack, name: string): Promise<Route> =>
  name === "dashboard" ? dashboardRoute(google, stack) : gatewayRoute(google, stack, name as keyof typeof NAMES);

const CONSOLE = "https://console.cloud.google.com";

function dataprocConsole({ project, region, cluster, mode }: DataprocStack): string {
  if (cluster !== undefined) return `${CONSOLE}/dataproc/clusters/${cluster}?region=${region}&project=${project}`;
  return `${CONSOLE}/dataproc/${mode === "batch" ? "batches" : "workflows/instances"}?region=${region}&project=${project}`;
}

const bigQueryConsole = ({ project, dataset }: DataprocStack): string =>
  `${CONSOLE}/bigquery?project=${project}&p=${project}&d=${dataset}&page=dataset`;

/** What Dataproc calls the pages of the component gateway. */
const NAMES = { spark: /^spark history/i, yarn: /^yarn resource/i, hdfs: /^hdfs/i, jupyter: /^jupyterlab/i } as const;

/** @throws UsageError when the stack has no cluster of its own, it has ended, or it has no such page. */
async function gatewayRoute(google: Google, stack: DataprocStack, ui: keyof typeof NAMES): Promise<Route> {
  if (stack.cluster === undefined) {
    throw new UsageError(
      `--ui is "${ui}", and only a cluster that stays has pages of its own: set oneoff:mode to "cluster" and start another run with "npx --no oneoff run ${stack.name}"`,
    );
  }
  const cluster = await clusterNow(google, stack);
  if (!isThere(cluster)) {
    throw new UsageError(
      `cluster ${stack.cluster} has ended, and its own pages with it: the dashboard is still there: "npx --no oneoff open ${stack.name}"`,
    );
  }
  const ports = Object.entries(cluster.config?.endpointConfig?.httpPorts ?? {});
  const found = ports.find(([name]) => NAMES[ui].test(name));
  if (found) return { title: found[0], url: found[1] };
  const there = ports.length === 0 ? "none yet" : ports.map(([name]) => name).join(", ");
  throw new UsageError(
    `--ui is "${ui}", and the component gateway of cluster ${stack.cluster} has no such page: it has ${there}`,
  );
}
