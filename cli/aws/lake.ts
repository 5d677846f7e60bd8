import { S3Client } from "@aws-sdk/client-s3";
import { S3Store } from "../../clients/lake/s3.ts";
import type { LakeStore } from "../../clients/lake/store.ts";
import { explainedLake } from "../lake.ts";
import type { StackContext } from "../platform.ts";
import { connect, explainErrors } from "./client.ts";
import { regionOf } from "./region.ts";

/** A lake on S3, such as "s3://bucket/prefix". */
export const openLake = (stack: StackContext, address: string): LakeStore =>
  explainedLake(
    new S3Store(address, connect(new S3Client({ region: regionOf(stack), maxAttempts: 4 }))),
    explainErrors,
  );
