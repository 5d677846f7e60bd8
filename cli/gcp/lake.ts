import { storageClient } from "../../clients/google.ts";
import { GcsStore } from "../../clients/lake/gcs.ts";
import type { LakeStore } from "../../clients/lake/store.ts";
import { explainedLake } from "../lake.ts";
import type { StackContext } from "../platform.ts";
import { explainErrors } from "./client.ts";
import { inEnvironment } from "./project.ts";

/** A lake on Google Cloud Storage, such as "gs://bucket/prefix". Who reads a bucket need not name a project. */
export function openLake({ outputs, files: { config } }: StackContext, address: string): LakeStore {
  const named = outputs.project ?? config["gcp:project"] ?? inEnvironment("project");
  const project = typeof named === "string" ? named : undefined;
  return explainedLake(new GcsStore(address, storageClient(project)), (asked) => explainErrors(asked, project));
}
