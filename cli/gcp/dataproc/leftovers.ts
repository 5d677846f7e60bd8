import type { Leftover } from "../../platform.ts";
import { byHand, until } from "../../removal.ts";
import {
  digitsOf,
  finished,
  hasLabel,
  type Labelled,
  lastOf,
  Order,
  ownershipOf,
  removeAndWait,
  type Sweep,
  since,
} from "../leftovers/sweep.ts";

interface Cluster extends Labelled {
  readonly clusterName: string;
  readonly status?: { readonly state?: string; readonly stateStartTime?: string };
}

interface Batch extends Labelled {
  readonly name: string;
  readonly state?: string;
  readonly createTime?: string;
  readonly operation?: string;
}

interface Template extends Labelled {
  readonly name: string;
  readonly createTime?: string;
}

/** For lists that are long, because what has ended stays in them. */
const LONG = { query: { pageSize: 1000 } } as const;

/** What runs or is kept on Dataproc. What has ended and is still listed costs nothing, and is no leftover. */
export async function dataprocLeftovers(sweep: Sweep): Promise<readonly Leftover[]> {
  const { google, project, region } = sweep;
  // Each API has a grammar of its own for filters; so few are there that all are read.
  const [clusters, batches, templates] = await Promise.all([
    google.listIfOn<Cluster>("dataproc", `v1/projects/${project}/regions/${region}/clusters`, "clusters"),
    google.listIfOn<Batch>("dataproc", `v1/projects/${project}/locations/${region}/batches`, "batches", LONG),
    google.listIfOn<Template>("dataproc", `v1/projects/${project}/regions/${region}/workflowTemplates`, "templates"),
  ]);
  return [
    ...clusters
      .filter((cluster) => hasLabel(cluster, sweep) && cluster.status?.state !== "DELETING")
      .map((cluster) => clusterLeftover(sweep, cluster)),
    ...batches.filter((batch) => hasLabel(batch, sweep) && isLive(batch)).map((batch) => batchLeftover(sweep, batch)),
    ...templates
      .filter((template) => hasLabel(template, sweep))
      .map((template) => ({
        kind: "Dataproc template",
        id: lastOf(template.name),
        ...ownershipOf(template, sweep),
        ...since(template.createTime),
        order: Order.templates,
        remove: () => removeAndWait(google, "dataproc", "v1", template.name),
      })),
  ];
}

const clusterLeftover = (sweep: Sweep, cluster: Cluster): Leftover => ({
  kind: "Dataproc cluster",
  id: cluster.clusterName,
  ...ownershipOf(cluster, sweep),
  ...since(cluster.status?.stateStartTime),
  order: Order.clusters,
  remove: () => {
    const { google, project, region } = sweep;
    return removeAndWait(
      google,
      "dataproc",
      "v1",
      `projects/${project}/regions/${region}/clusters/${cluster.clusterName}`,
    );
  },
});

/** Names of all clusters of the region, also those that end. */
export async function clusterNames({ google, project, region }: Sweep): Promise<readonly string[]> {
  const path = `v1/projects/${project}/regions/${region}/clusters`;
  return (await google.listIfOn<Cluster>("dataproc", path, "clusters")).map(({ clusterName }) => clusterName);
}

const isLive = ({ state }: Batch): boolean => state === "PENDING" || state === "RUNNING" || state === "CANCELLING";

/** One that runs can only be cancelled; its record goes then. */
const batchLeftover = (sweep: Sweep, batch: Batch): Leftover => ({
  kind: "Dataproc batch",
  id: lastOf(batch.name),
  ...ownershipOf(batch, sweep),
  ...since(batch.createTime),
  order: Order.batches,
  async remove() {
    const { google } = sweep;
    const path = `v1/${batch.name}`;
    if (batch.operation)
      await google.orUndefined("dataproc", `v1/${batch.operation}:cancel`, { method: "POST", body: {} });
    await until(async () => {
      const now = await google.orUndefined<Batch>("dataproc", path);
      return now === undefined || !isLive(now);
    });
    await google.orUndefined("dataproc", path, { method: "DELETE" });
  },
});

interface Policy {
  readonly id: string;
}

interface WorkflowOperation {
  readonly name: string;
  readonly done?: boolean;
  readonly metadata?: {
    readonly "@type"?: string;
    readonly template?: string;
    readonly clusterName?: string;
    readonly startTime?: string;
  };
}

/**
 * What has no labels: workflows that run, by their templates, and autoscaling policies. Their names end with the digits of
 * the component that they are of, which others of its things tell; where none does, a name alone makes nothing the stack's.
 */
export async function unlabelledLeftovers(
  sweep: Sweep,
  digits: ReadonlySet<string>,
  labelled: readonly Leftover[],
): Promise<readonly Leftover[]> {
  const { google, project, region, stack, claim } = sweep;
  const place = `v1/projects/${project}/regions/${region}`;
  const templates = new Set(labelled.filter(({ order }) => order === Order.templates).map(({ id }) => id));
  const [policies, operations] = await Promise.all([
    google.listIfOn<Policy>("dataproc", `${place}/autoscalingPolicies`, "policies"),
    google.listIfOn<WorkflowOperation>("dataproc", `${place}/operations`, "operations", LONG),
  ]);
  const isKnown = (name: string) => digits.has(/-([0-9a-f]{8})$/.exec(name)?.[1] ?? "");
  const whose = (name: string, command: string): Pick<Leftover, "unsure"> | undefined => {
    if (digits.has(digitsOf(name) ?? "")) return {};
    const found = claim(name, isKnown(name) ? [stack] : []);
    return found && (found === "unsure" ? { unsure: byHand(command) } : {});
  };
  const at = `--region ${region} --project ${project}`;
  return [
    ...policies
      .map(({ id }) => ({ id, own: whose(id, `gcloud dataproc autoscaling-policies delete ${id} ${at}`) }))
      .filter(({ own }) => own !== undefined)
      .map(({ id, own }) => ({
        kind: "Dataproc autoscaling policy",
        id,
        ...own,
        order: Order.policies,
        remove: () =>
          removeAndWait(google, "dataproc", "v1", `projects/${project}/regions/${region}/autoscalingPolicies/${id}`),
      })),
    ...operations
      .filter(({ done, metadata }) => !done && metadata?.["@type"]?.endsWith("WorkflowMetadata"))
      .map((operation) => {
        const template = lastOf(operation.metadata?.template ?? "");
        const command = `gcloud dataproc operations cancel ${lastOf(operation.name)} ${at}`;
        return { ...operation, template, own: templates.has(template) ? {} : whose(template, command) };
      })
      .filter(({ own }) => own !== undefined)
      .map(({ name, metadata, template, own }) => ({
        kind: "Dataproc workflow",
        id: template,
        ...own,
        ...since(metadata?.startTime),
        order: Order.workflows,
        async remove() {
          await google.orUndefined("dataproc", `v1/${name}:cancel`, { method: "POST", body: {} });
          // One that was cancelled says so by its error.
          await finished(google, "dataproc", "v1", { name }).catch((error: Error) => {
            if (!/cancel/i.test(error.message)) throw error;
          });
        },
      })),
  ];
}
