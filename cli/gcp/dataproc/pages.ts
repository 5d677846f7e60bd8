import { UsageError } from "../../../core/errors.ts";
import { DataprocPage } from "../../options.ts";
import type { Outputs } from "../../platform.ts";
import type { Google } from "../client.ts";
import { clusterNow, isThere } from "./describe.ts";
import type { DataprocStack } from "./stack.ts";

/** Where to look at a stack: the component gateway's pages and Google's own, which ask for Google's identity. */
export async function dataprocPages(google: Google, place: DataprocStack, { dashboard, dashboardInstance }: Outputs) {
  const cluster = await clusterNow(google, place);
  const gateway = isThere(cluster) ? Object.entries(cluster.config?.endpointConfig?.httpPorts ?? {}) : [];
  return [
    ...(typeof dashboard === "string" && dashboardInstance !== undefined
      ? [{ what: "Dashboard", address: dashboard }]
      : []),
    ...gateway.map(([what, address]) => ({ what, address })),
    { what: "Dataproc", address: dataprocConsole(place) },
    ...(place.dataset === undefined ? [] : [{ what: "BigQuery", address: bigQueryConsole(place) }]),
  ];
}

const CONSOLE = "https://console.cloud.google.com";

function dataprocConsole({ project, region, cluster, mode }: DataprocStack): string {
  if (cluster !== undefined) return `${CONSOLE}/dataproc/clusters/${cluster}?region=${region}&project=${project}`;
  return `${CONSOLE}/dataproc/${mode === "batch" ? "batches" : "workflows/instances"}?region=${region}&project=${project}`;
}

const bigQueryConsole = ({ project, dataset }: DataprocStack): string =>
  `${CONSOLE}/bigquery?project=${project}&p=${project}&d=${dataset}&page=dataset`;

/** What Dataproc calls the pages of the component gateway. */
const NAMES: Readonly<Record<DataprocPage, RegExp>> = {
  [DataprocPage.spark]: /^spark history/i,
  [DataprocPage.yarn]: /^yarn resource/i,
  [DataprocPage.hdfs]: /^hdfs/i,
  [DataprocPage.jupyter]: /^jupyterlab/i,
};

/** @throws UsageError when the stack has no cluster of its own, it has ended, or it has no such page. */
export async function gatewayPage(google: Google, place: DataprocStack, ui: DataprocPage) {
  if (place.cluster === undefined) {
    throw new UsageError(
      `--ui is "${ui}", and only a cluster that stays has pages of its own: set oneoff:mode to "cluster" and start another run with "npx oneoff run ${place.stack}"`,
    );
  }
  const cluster = await clusterNow(google, place);
  if (!isThere(cluster)) {
    throw new UsageError(
      `cluster ${place.cluster} has ended, and its own pages with it: the dashboard is still there: "npx oneoff open ${place.stack}"`,
    );
  }
  const ports = Object.entries(cluster.config?.endpointConfig?.httpPorts ?? {});
  const found = ports.find(([name]) => NAMES[ui].test(name));
  if (found) return { what: found[0], url: found[1] };
  const there = ports.length === 0 ? "none yet" : ports.map(([name]) => name).join(", ");
  throw new UsageError(
    `--ui is "${ui}", and the component gateway of cluster ${place.cluster} has no such page: it has ${there}`,
  );
}
