import { S3Client } from "@aws-sdk/client-s3";
import { S3Store } from "../../clients/lake/s3.ts";
import type { LakeStore } from "../../clients/lake/store.ts";
import { explainedLake, lakeGone } from "../lake.ts";
import type { StackContext } from "../platform.ts";
import { connect, explainErrors } from "./client.ts";
import { regionOf } from "./region.ts";

/** A lake on S3, such as "s3://bucket/prefix". */
export function openLake(stack: StackContext, address: string): LakeStore {
  const s3 = connect(new S3Client({ region: regionOf(stack), maxAttempts: 4 }));
  const explain = <T>(asked: Promise<T>): Promise<T> =>
    explainErrors(asked).catch((error: Error) => {
      throw error.name === "NoSuchBucket" ? lakeGone(stack.name, address) : error;
    });
  return explainedLake(new S3Store(address, s3), explain);
}
