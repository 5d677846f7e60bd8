import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import { invalid, UsageError } from "../../../core/errors.ts";
import { stackTags } from "../../common/naming.ts";
import { EMR_TAG, egressAnywhere, type Subnets } from "../network.ts";

/** Who may log in to the primary node by SSH. Session Manager needs nothing of this. */
export interface SshAccess {
  /** Name of an EC2 key pair. */
  readonly keyName: string;
  /** Addresses that may connect, such as "203.0.113.7/32". Not the world. */
  readonly cidr: string;
}

export interface ClusterGroups {
  readonly primary: aws.ec2.SecurityGroup;
  readonly workers: aws.ec2.SecurityGroup;
  /** Only in private subnets: the way by which EMR reaches the nodes there. */
  readonly service?: aws.ec2.SecurityGroup;
  readonly parts: readonly pulumi.Resource[];
}

/**
 * Security groups of a cluster. EMR adds rules by which the nodes reach each other; the groups then name each other, so
 * their rules are revoked before they are deleted, and no rule of ours is written into a group.
 */
export function clusterGroups(
  name: string,
  network: Subnets,
  ssh: SshAccess | undefined,
  parent: pulumi.Resource,
): ClusterGroups {
  const group = (what: string, description: string) =>
    new aws.ec2.SecurityGroup(
      `${name}-${what}`,
      { vpcId: network.vpcId, description, revokeRulesOnDelete: true, tags: stackTags(EMR_TAG) },
      { parent },
    );
  const primary = group("primary-group", `Primary node of cluster ${name}`);
  const workers = group("workers-group", `Workers of cluster ${name}`);
  const parts: pulumi.Resource[] = [
    egressAnywhere(`${name}-primary-egress`, primary, parent),
    egressAnywhere(`${name}-workers-egress`, workers, parent),
  ];
  if (ssh) {
    parts.push(
      new aws.vpc.SecurityGroupIngressRule(
        `${name}-ssh`,
        {
          securityGroupId: primary.id,
          cidrIpv4: ssh.cidr,
          ipProtocol: "tcp",
          fromPort: 22,
          toPort: 22,
          tags: stackTags(),
        },
        { parent },
      ),
    );
  }
  if (!network.isPrivate) return { primary, workers, parts };

  // https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-man-sec-groups.html#emr-sg-elasticmapreduce-sa-private
  const service = group("service-group", `Way of EMR to cluster ${name}`);
  const out = (who: string, to: aws.ec2.SecurityGroup) =>
    new aws.vpc.SecurityGroupEgressRule(
      `${name}-service-to-${who}`,
      {
        securityGroupId: service.id,
        referencedSecurityGroupId: to.id,
        ipProtocol: "tcp",
        fromPort: 8443,
        toPort: 8443,
        tags: stackTags(),
      },
      { parent },
    );
  const back = new aws.vpc.SecurityGroupIngressRule(
    `${name}-primary-to-service`,
    {
      securityGroupId: service.id,
      referencedSecurityGroupId: primary.id,
      ipProtocol: "tcp",
      fromPort: 9443,
      toPort: 9443,
      tags: stackTags(),
    },
    { parent },
  );
  return { primary, workers, service, parts: [...parts, out("primary", primary), out("workers", workers), back] };
}

/** @throws UsageError when `cidr` is no block of IPv4 addresses, or lets in more than a /8. */
export function checkSsh(ssh: SshAccess): SshAccess {
  if (!ssh.keyName)
    throw new UsageError("ssh has no keyName: name an EC2 key pair, or leave ssh out: Session Manager needs none");
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d|[12]\d|3[0-2])$/.exec(ssh.cidr ?? "");
  if (!match || match.slice(1, 5).some((byte) => Number(byte) > 255)) {
    throw invalid("ssh.cidr", ssh.cidr, 'expected a block of IPv4 addresses, such as "203.0.113.7/32"');
  }
  if (Number(match[5]) < 8) {
    throw invalid("ssh.cidr", ssh.cidr, 'that is the world; give your own address, such as "203.0.113.7/32"');
  }
  return ssh;
}
