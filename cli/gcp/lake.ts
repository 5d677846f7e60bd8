import { storageClient } from "../../clients/google.ts";
import { GcsStore } from "../../clients/lake/gcs.ts";
import type { LakeStore } from "../../clients/lake/store.ts";
import { explainedLake, lakeGone } from "../lake.ts";
import type { StackContext } from "../platform.ts";
import { explainErrors } from "./client.ts";
import { inEnvironment } from "./project.ts";

/** A lake on Google Cloud Storage, such as "gs://bucket/prefix". Who reads a bucket need not name a project. */
export function openLake({ name, outputs, files: { config } }: StackContext, address: string): LakeStore {
  const named = outputs.project ?? config["gcp:project"] ?? inEnvironment("project");
  const project = typeof named === "string" ? named : undefined;
  const explain = <T>(asked: Promise<T>): Promise<T> =>
    explainErrors(asked, project).catch((error: Error) => {
      throw /bucket does not exist/i.test(error.message) ? lakeGone(name, address) : error;
    });
  return explainedLake(new GcsStore(address, storageClient(project)), explain);
}
