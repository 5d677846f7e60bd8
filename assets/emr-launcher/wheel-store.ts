import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import type { WheelStore } from "../wheels/store.ts";
import { statusOf } from "./context.ts";

/** A lake on S3 as a place for wheels. */
export const s3Wheels = (s3: S3Client, Bucket: string): WheelStore => ({
  address: (key) => `s3://${Bucket}/${key}`,
  async readText(Key) {
    try {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      return (await Body?.transformToString()) ?? "";
    } catch (error) {
      throw new Error(`s3://${Bucket}/${Key} can't be read: ${(error as Error).message}`);
    }
  },
  async exists(Key) {
    try {
      await s3.send(new HeadObjectCommand({ Bucket, Key }));
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      throw error;
    }
  },
  async put(Key, Body, ContentLength, abortSignal) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength }), { abortSignal });
  },
});
