import { join } from "node:path";
import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { Job } from "../../../core/job.ts";
import { stackTags } from "../../common/naming.ts";
import { ASSETS, type ClusterCode, clusterCode, RECORDER, scripts, uploads } from "../../common/node-code.ts";
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
