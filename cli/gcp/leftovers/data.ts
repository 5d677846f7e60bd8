import { storageClient } from "../../../clients/google.ts";
import { Label } from "../../../core/labels.ts";
import type { Leftover } from "../../platform.ts";
import { ServiceOff } from "../client.ts";
import {
  hasLabel,
  type Labelled,
  lastOf,
  Order,
  ownershipOf,
  ownText,
  removeAndWait,
  type Sweep,
  since,
} from "./sweep.ts";

/** What keeps data: buckets, datasets, secrets; and what makes it, on a schedule or for a run. */
export async function dataLeftovers(sweep: Sweep): Promise<readonly Leftover[]> {
  const found = await Promise.all(
    [bucketsOf, datasetsOf, schedulesOf, secretsOf, orchestratorsOf].map((f) => f(sweep)),
  );
  return found.flat();
}

async function bucketsOf(sweep: Sweep): Promise<readonly Leftover[]> {
  const storage = storageClient(sweep.project);
  const [buckets] = await sweep.google.telling(storage.getBuckets({ project: sweep.project })).catch((error) => {
    if (error instanceof ServiceOff) return [[]] as const;
    throw error;
  });
  return buckets
    .map((bucket) => ({ bucket, labels: (bucket.metadata.labels ?? {}) as Readonly<Record<string, string>> }))
    .filter((found) => hasLabel(found, sweep))
    .map(({ bucket, labels }) => ({
      kind: "bucket",
      id: bucket.name,
      // A stack's lake says what becomes of it; what a service keeps beside it doesn't.
      ...(Label.removal in labels && { lake: bucket.name }),
      ...ownershipOf({ labels }, sweep),
      ...since(bucket.metadata.timeCreated),
      order: Order.buckets,
      async remove() {
        await sweep.google.telling(bucket.deleteFiles({ versions: true, force: true }));
        await sweep.google.telling(bucket.delete());
      },
    }));
}

interface Dataset extends Labelled {
  readonly datasetReference: { readonly datasetId: string };
}

async function datasetsOf(sweep: Sweep): Promise<readonly Leftover[]> {
  const { google, project } = sweep;
  const path = `bigquery/v2/projects/${project}/datasets`;
  const datasets = await google.listIfOn<Dataset>("bigquery", path, "datasets");
  return datasets
    .filter((dataset) => hasLabel(dataset, sweep))
    .map((dataset) => {
      const id = dataset.datasetReference.datasetId;
      return {
        kind: "BigQuery dataset",
        id,
        ...ownershipOf(dataset, sweep),
        order: Order.datasets,
        remove: async () =>
          void (await google.orUndefined("bigquery", `${path}/${id}`, {
            method: "DELETE",
            query: { deleteContents: true },
          })),
      };
    });
}

interface TransferConfig {
  readonly name: string;
  readonly displayName?: string;
}

async function schedulesOf(sweep: Sweep): Promise<readonly Leftover[]> {
  const { google, project, region } = sweep;
  const path = `v1/projects/${project}/locations/${region}/transferConfigs`;
  const configs = await google.listIfOn<TransferConfig>("bigquerydatatransfer", path, "transferConfigs");
  return configs.flatMap(({ name, displayName }) => {
    const own = ownText(sweep, displayName, () => `bq rm --transfer_config ${name}`);
    if (!own) return [];
    return {
      kind: "scheduled query",
      id: displayName as string,
      ...own,
      order: Order.schedules,
      remove: () => removeAndWait(google, "bigquerydatatransfer", "v1", name),
    };
  });
}

interface Secret extends Labelled {
  readonly name: string;
  readonly createTime?: string;
}

async function secretsOf(sweep: Sweep): Promise<readonly Leftover[]> {
  const { google, project } = sweep;
  const secrets = await google.listIfOn<Secret>("secretmanager", `v1/projects/${project}/secrets`, "secrets");
  return secrets
    .filter((secret) => hasLabel(secret, sweep))
    .map((secret) => ({
      kind: "secret",
      id: lastOf(secret.name),
      ...ownershipOf(secret, sweep),
      ...since(secret.createTime),
      order: Order.secrets,
      remove: () => removeAndWait(google, "secretmanager", "v1", secret.name),
    }));
}

interface Job extends Labelled {
  readonly name: string;
  readonly createTime?: string;
}

async function orchestratorsOf(sweep: Sweep): Promise<readonly Leftover[]> {
  const { google, project, region } = sweep;
  const jobs = await google.listIfOn<Job>("run", `v2/projects/${project}/locations/${region}/jobs`, "jobs");
  return jobs
    .filter((job) => hasLabel(job, sweep))
    .map((job) => ({
      kind: "Cloud Run job",
      id: lastOf(job.name),
      ...ownershipOf(job, sweep),
      ...since(job.createTime),
      order: Order.orchestrators,
      remove: () => removeAndWait(google, "run", "v2", job.name),
    }));
}
