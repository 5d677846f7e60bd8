import { fetchKeys } from "../clients/lake/read.ts";
import type { LakeStore } from "../clients/lake/store.ts";
import { UsageError } from "../core/errors.ts";

/** A lake in a bucket whose errors are told as a platform tells its others. */
export const explainedLake = (lake: LakeStore, explain: <T>(asked: Promise<T>) => Promise<T>): LakeStore => ({
  address: lake.address,
  isFar: lake.isFar,
  keys: (prefix) => explain(lake.keys(prefix)),
  list: (prefix) => explain(lake.list(prefix)),
  bytes: (key, from) => explain(lake.bytes(key, from)),
  piece: (key, range) => explain(lake.piece(key, range)),
  content: (key) => explain(lake.content(key)),
  create: (key, content) => explain(lake.create(key, content)),
  replace: (key, content, etag) => explain(lake.replace(key, content, etag)),
  folders: () => explain(lake.folders()),
  remove: (prefix) => explain(lake.remove(prefix)),
  fetch: (keys, folder) => explain(fetchKeys(lake, keys, folder)),
  close: () => lake.close(),
});

export const lakeGone = (stack: string, address: string): UsageError =>
  new UsageError(
    `the bucket of lake ${address} is not there: where stack ${stack} made it, "npx pulumi up --refresh --stack ${stack}" makes it anew`,
  );
