import { invalid } from "../../core/errors.ts";

/** A key, or the beginning of keys, as it was given. @throws UsageError when it leads out of its lake. */
export function checkKey(key: string): string {
  if (key.split(/[/\\]/).includes("..")) throw invalid("key", key, 'expected a path below the lake, without ".."');
  return key;
}

/** The deepest folder that a beginning of keys names: "_runs/" of "_runs/1". Empty or with "/" at its end. */
export const folderOf = (prefix: string): string => prefix.slice(0, prefix.lastIndexOf("/") + 1);

/** A lake in a bucket, by its address. */
export interface BucketPlace {
  readonly bucket: string;
  /** What keys of the bucket have before those of the lake: empty or with "/" at its end. */
  readonly prefix: string;
}

/** @param address such as "s3://bucket" or "gs://bucket/prefix". */
export function placeOf(address: string): BucketPlace {
  const [bucket = "", ...path] = address.replace(/^\w+:\/\//, "").split("/");
  const parts = path.filter((part) => part !== "");
  return { bucket, prefix: parts.map((part) => `${part}/`).join("") };
}

/** Whether a key is a file's: what consoles and Hadoop keep in place of a folder ends with "/". */
export const isFile = (key: string): boolean => key !== "" && !key.endsWith("/");
