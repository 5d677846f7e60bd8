import { join } from "node:path";
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Job } from "../../../core/job.ts";
import { originKey } from "../../../core/lake-layout.ts";
import { stackTags } from "../../common/naming.ts";
import { ASSETS, type ClusterCode, clusterCode, RECORDER, scripts, uploads } from "../../common/node-code.ts";
import { runOrigin } from "../../common/run-origin.ts";
import type { S3Lake } from "../lake.ts";

/**
 * What a job needs on the nodes of an EMR cluster.
 *
 * @throws UsageError when two different files of a step have one name.
 */
export const emrCode = (job: Job, jupyter: boolean): ClusterCode =>
  clusterCode(job, {
    folder: "emr",
    files: {
      ...scripts(join(ASSETS, "nodes/emr")),
      ...(jupyter && { "jupyter.sh": join(ASSETS, "nodes/emr/jupyter/jupyter.sh") }),
    },
    venvs: {
      [RECORDER]: join(ASSETS, "nodes/emr/requirements.txt"),
      ...(jupyter && { jupyter: join(ASSETS, "nodes/emr/jupyter/requirements.txt") }),
    },
  });

/**
 * Puts the code into the lake, where it stays for nodes that a running cluster gets later, also when there is newer; it
 * goes with the bucket.
 */
export const uploadCode = (name: string, code: ClusterCode, lake: S3Lake, parent: pulumi.Resource): pulumi.Resource[] =>
  uploads(code).map(
    ({ key, source, logical }) =>
      new aws.s3.BucketObjectv2(
        `${name}-${logical}`,
        { bucket: lake.bucket, key, source, tags: stackTags() },
        { parent, retainOnDelete: true },
      ),
  );

/** Puts what makes a run into the lake, once for each run, to be recorded with it: what changes meanwhile is for the next. */
export const uploadOrigin = (
  name: string,
  { job, run }: { readonly job: Job; readonly run: string },
  lake: S3Lake,
  parent: pulumi.Resource,
): pulumi.Resource =>
  new aws.s3.BucketObjectv2(
    `${name}-origin-${run}`,
    { bucket: lake.bucket, key: originKey(run), content: pulumi.jsonStringify(runOrigin(job)), tags: stackTags() },
    { parent, retainOnDelete: true, ignoreChanges: ["content"] },
  );
