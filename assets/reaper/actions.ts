/**
 * What the reaper's role has to allow, beside looking into a lake, for runs to be cancelled or how a fleet is, which a cluster
 * grants. Every action of `end` names its resource and takes `aws:ResourceTag`
 * (https://docs.aws.amazon.com/service-authorization/latest/reference/, pages list_amazonelasticmapreduce.html,
 * list_amazonec2autoscaling.html and list_amazonec2.html).
 */
export const reaperActions = {
  /** Most of them know no resource but "*"; whose a cluster is, only its description tells. */
  read: [
    "elasticmapreduce:ListClusters",
    "elasticmapreduce:DescribeCluster",
    "autoscaling:DescribeAutoScalingGroups",
    "ec2:DescribeInstances",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcEndpoints",
  ],
  /** Only on what carries the stack's tag. */
  end: [
    {
      actions: ["elasticmapreduce:TerminateJobFlows", "elasticmapreduce:SetTerminationProtection"],
      resource: "arn:*:elasticmapreduce:*:*:cluster/*",
    },
    {
      actions: ["autoscaling:DeleteAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup"],
      resource: "arn:*:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*",
    },
    {
      actions: ["ec2:TerminateInstances", "ec2:StopInstances", "ec2:StartInstances"],
      resource: "arn:*:ec2:*:*:instance/*",
    },
    { actions: ["ec2:DeleteVolume"], resource: "arn:*:ec2:*:*:volume/*" },
    { actions: ["ec2:DeleteVpcEndpoints"], resource: "arn:*:ec2:*:*:vpc-endpoint/*" },
  ],
} as const;
