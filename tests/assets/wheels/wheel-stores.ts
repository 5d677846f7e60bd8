/** Lakes on this machine where wheels can be put: one in each cloud's own interface. */
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { Lake } from "../../../assets/dataproc-orchestrator/store.ts";
import { s3Wheels } from "../../../assets/wheels/s3-store.ts";
import type { WheelStore } from "../../../assets/wheels/store.ts";
import { storageClient } from "../../../clients/google.ts";
import { startStorage } from "../../google/storage.ts";
import { startMoto } from "../../moto.ts";

export type StoreKind = "S3" | "Google Cloud Storage";

export interface LakeStore {
  readonly store: WheelStore;
  /** Begins anew, with an empty bucket. */
  clear(): Promise<void>;
  put(key: string, text: string): Promise<void>;
  get(key: string): Promise<Buffer>;
  keys(): Promise<readonly string[]>;
  close(): void;
}

export const storeOf = (kind: StoreKind): Promise<LakeStore> => (kind === "S3" ? s3() : google());

async function s3(): Promise<LakeStore> {
  const moto = await startMoto("us-east-1");
  const client = new S3Client({ forcePathStyle: true });
  const Bucket = "lake";
  return {
    store: s3Wheels(client, Bucket),
    async clear() {
      await moto.reset();
      await client.send(new CreateBucketCommand({ Bucket }));
    },
    async put(Key, Body) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body }));
    },
    async get(Key) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
    async keys() {
      return ((await client.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key as string);
    },
    close: () => moto.close(),
  };
}

async function google(): Promise<LakeStore> {
  const storage = await startStorage();
  Object.assign(process.env, storage.env);
  const bucket = storageClient("test").bucket("lake");
  await storage.makeBucket("lake");
  return {
    store: new Lake(bucket).wheels(),
    async clear() {
      await bucket.deleteFiles();
    },
    put: (key, text) => storage.put("lake", key, text),
    get: async (key) => (await bucket.file(key).download())[0],
    keys: () => storage.keys("lake"),
    close: () => storage.close(),
  };
}
