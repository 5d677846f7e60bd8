import { UsageError } from "../../core/errors.ts";
import type { Route } from "../platform.ts";
import type { Google } from "./client.ts";
import { GET_GCLOUD, gcloudVersion, startTunnel, whyNever } from "./gcloud.ts";
import { instanceState } from "./instance.ts";

/** An instance boots, fetches the dashboard and starts it. */
const PATIENCE_MS = 6 * 60_000;
/** Port of the dashboard. */
const PORT = 8765;

/** A stack with a dashboard on a Compute Engine instance, which has no public address. */
interface DashboardStack {
  /** Of the stack. */
  readonly name: string;
  readonly project: string;
  readonly dashboardInstance?: string | undefined;
  readonly dashboardZone?: string | undefined;
  readonly dashboardDeadline?: string | undefined;
}

/**
 * What leads to the dashboard through Google's Identity-Aware Proxy.
 * @throws UsageError when the stack has none, or gcloud is not installed.
 */
export async function dashboardRoute(google: Google, stack: DashboardStack): Promise<Route> {
  const { name, project, dashboardInstance, dashboardZone: zone, dashboardDeadline } = stack;
  if (dashboardInstance === undefined || zone === undefined) {
    throw new UsageError(`stack ${name} has no dashboard: its output "dashboardInstance" is not set`);
  }
  if ((await gcloudVersion()) === undefined) {
    throw new UsageError(`gcloud is not on PATH, and it leads to the dashboard: ${GET_GCLOUD}`);
  }
  const instance = { name: dashboardInstance, zone, project };
  return {
    title: "Dashboard",
    url: `http://127.0.0.1:${PORT}`,
    tunnel: {
      places: [{ scheme: "http", port: PORT, connect: async (localPort) => startTunnel(instance, PORT, localPort) }],
      host: dashboardInstance,
      patienceMs: PATIENCE_MS,
      probe: "/api/identity",
      state: () => instanceState(google, name, instance, dashboardDeadline),
      whyNever: (problem) => whyNever(problem, instance),
      advice: `what its instance printed is to be had by "gcloud compute instances get-serial-port-output ${dashboardInstance} --zone ${zone} --project ${project}"`,
    },
  };
}
