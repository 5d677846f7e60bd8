/** What the orchestrator is told, at `_clusters/<run>/launch-<digest>.json`. components/gcp/dataproc/launch.ts writes it. */
import { createHash } from "node:crypto";
import type { ColumnType } from "../../core/table.ts";

/** What runs the steps of a job on Dataproc. */
export const DataprocMode = {
  /** A cluster that stays a while after its last step, with JupyterLab. */
  cluster: "cluster",
  /** A cluster that lives for the run alone. */
  workflow: "workflow",
  /** No cluster: each step is a serverless batch. */
  batch: "batch",
} as const;
export type DataprocMode = (typeof DataprocMode)[keyof typeof DataprocMode];

export interface Launch {
  readonly mode: DataprocMode;
  readonly project: string;
  readonly region: string;
  /** The lake's bucket. */
  readonly bucket: string;
  /** BigQuery dataset into whose tables a run's rows are loaded when it has succeeded. */
  readonly dataset: string;
  readonly run: string;
  readonly job: string;
  /** Labels of what is asked for. */
  readonly labels: Readonly<Record<string, string>>;
  /** The run is over so long after it was begun. */
  readonly deadlineSeconds: number;
  /** In their order. */
  readonly steps: readonly LaunchStep[];
  readonly tables: readonly LaunchTable[];
  /** What is put beside a requirements.txt before the first step. */
  readonly wheels: readonly LaunchWheels[];
  /** Where wheels come from, a simple index such as `https://pypi.org/simple`. */
  readonly packageIndex: string;
  /** Mode `cluster`: its name. */
  readonly cluster?: string;
  /** Mode `workflow`: id of the template, which has a parameter DEADLINE. */
  readonly template?: string;
}

export interface LaunchStep {
  readonly name: string;
  readonly timeLimitSeconds: number;
  /** Whether it goes on until somebody asks for its end, which it looks for itself. */
  readonly endless?: boolean;
  /**
   * Mode `cluster`: the type of job, `{ pysparkJob: ... }` (https://cloud.google.com/dataproc/docs/reference/rest/v1/projects.regions.jobs#Job).
   * Mode `batch`: the batch without its ttl (https://cloud.google.com/dataproc-serverless/docs/reference/rest/v1/projects.locations.batches#Batch).
   * `{deadline}` in any text stands for when the run ends at the latest, ISO 8601 in UTC.
   */
  readonly request?: Readonly<Record<string, unknown>>;
}

/** Ids of steps in templates have 50 characters at most, and a letter or digit at their end. */
const PLAIN_ID = 44;

/** Id of a step in the template of mode `workflow`: another one for each name, however long. */
export function templateStep({ name }: { readonly name: string }): string {
  const id = `step-${name}`;
  if (id.length <= PLAIN_ID && /[A-Za-z0-9]$/.test(id)) return id;
  return `${id.slice(0, PLAIN_ID)}${createHash("sha256").update(name).digest("hex").slice(0, 6)}`;
}

export interface LaunchTable {
  readonly name: string;
  /** Columns that are folders below `run=<run>`, in their order. */
  readonly partitions: readonly { readonly name: string; readonly type: ColumnType }[];
}

export interface LaunchWheels {
  /** `_wheels/<digest>`: has a requirements.txt. */
  readonly prefix: string;
  /** Key of a zip of all of them unpacked, to be made beside them: what batches import from. @default none is made */
  readonly archive?: string;
}
