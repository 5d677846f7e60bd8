/** What the launcher's role has to allow, with the resources and conditions that the services know. */
export const launcherActions = {
  /** On `_launches/*` and `_wheels/*` of the lake. A conditional write needs both. */
  objects: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
  /** On `_cancels/*` of the lake. */
  requests: ["s3:GetObject"],
  /** On the bucket, without a condition: who may not list gets 403 for a key that isn't there, and not 404. */
  bucket: ["s3:ListBucket"],
  /** On "*": EMR lists by account, and whose a cluster is only its description tells. */
  read: ["elasticmapreduce:ListClusters", "elasticmapreduce:DescribeCluster"],
  /** On "*", with `aws:RequestTag`s; RunJobFlow knows no resource. */
  rent: ["elasticmapreduce:RunJobFlow", "elasticmapreduce:AddTags"],
  /**
   * On clusters, without a condition. An idle limit in RunJobFlow is a policy that is put, and while that is authorised
   * there is no cluster yet whose tags could be looked at.
   */
  idle: ["elasticmapreduce:PutAutoTerminationPolicy"],
  /** On clusters with `aws:ResourceTag`s. */
  end: ["elasticmapreduce:TerminateJobFlows", "elasticmapreduce:SetTerminationProtection"],
  /** On the roles of the cluster, to the services that take them. */
  pass: ["iam:PassRole"],
  /** On the role with which EMR cleans up; it is there once per account, from the first cluster on. */
  cleanup: ["iam:CreateServiceLinkedRole"],
} as const;
