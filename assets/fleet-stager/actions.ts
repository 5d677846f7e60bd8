/** What the stager's role has to allow. */
export const stagerActions = {
  /** On `_software/*` of the lake. */
  objects: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
  /** On the bucket, without a condition: who may not list gets 403 for a key that isn't there, and not 404. */
  bucket: ["s3:ListBucket"],
} as const;
