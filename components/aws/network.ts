import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { cidrBlock } from "../../core/cidr.ts";
import { UsageError } from "../../core/errors.ts";
import { stackTags } from "../common/naming.ts";

/** Where machines are put: subnets of one VPC. */
export interface Subnets {
  readonly vpcId: pulumi.Input<string>;
  /** In different zones: machines go where there is room. At least one. */
  readonly subnetIds: readonly pulumi.Input<string>[];
  /**
   * Whether they have no route to an internet gateway. Such subnets need a gateway endpoint for S3 and a way to the APIs
   * of EMR, EC2, KMS, STS, Athena, Glue, SSM and, for jobs with secrets, Secrets Manager.
   * @default false
   */
  readonly isPrivate?: boolean;
}

/**
 * Managed policy AmazonEMRServicePolicy_v2 lets EMR use only subnets and groups that carry it. A VPC that did would let EMR
 * put an endpoint into it, which costs by the hour and which nothing takes away.
 */
export const EMR_TAG = { "for-use-with-amazon-emr-managed-policies": "true" } as const;

export interface NetworkArgs {
  /** Addresses of the VPC, a /16 to /24. @default "10.83.0.0/20" */
  readonly cidr?: string;
}

/**
 * A VPC of the stack's own: two public subnets in different zones, no rule that lets anybody in, and a gateway endpoint
 * that leads to S3. Nothing in it costs money by itself: there is no NAT gateway.
 */
export class Network extends pulumi.ComponentResource implements Subnets {
  readonly vpcId: pulumi.Output<string>;
  readonly subnetIds: readonly pulumi.Output<string>[];
  readonly isPrivate = false;

  /** @throws UsageError when `cidr` isn't a block of addresses. */
  constructor(name: string, args: NetworkArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:Network", name, {}, opts);
    const cidr = args.cidr ?? "10.83.0.0/20";
    const blocks = subnetBlocks(cidr, 2);
    const tags = (what: string) => stackTags({ Name: `${pulumi.getStack()}-${name}-${what}` });
    const vpc = new aws.ec2.Vpc(
      `${name}-vpc`,
      { cidrBlock: cidr, enableDnsHostnames: true, enableDnsSupport: true, tags: tags("vpc") },
      { parent: this },
    );
    const gateway = new aws.ec2.InternetGateway(
      `${name}-gateway`,
      { vpcId: vpc.id, tags: tags("gateway") },
      { parent: this },
    );
    const routes = new aws.ec2.RouteTable(
      `${name}-routes`,
      { vpcId: vpc.id, routes: [{ cidrBlock: "0.0.0.0/0", gatewayId: gateway.id }], tags: tags("routes") },
      { parent: this },
    );
    const zones = zoneNames(vpc, this);
    const subnets = blocks.map(
      (cidrBlock, i) =>
        new aws.ec2.Subnet(
          `${name}-subnet-${i + 1}`,
          {
            vpcId: vpc.id,
            cidrBlock,
            availabilityZone: zones.apply((names) => names[i % names.length] as string),
            mapPublicIpOnLaunch: true,
            tags: { ...tags(`subnet-${i + 1}`), ...EMR_TAG },
          },
          { parent: this, ignoreChanges: ["availabilityZone"] }, // a zone that is added must not move the subnets
        ),
    );
    const ways = subnets.map(
      (subnet, i) =>
        new aws.ec2.RouteTableAssociation(
          `${name}-way-${i + 1}`,
          { routeTableId: routes.id, subnetId: subnet.id },
          { parent: this },
        ),
    );
    const region = vpc.arn.apply((arn) => arn.split(":")[3] as string);
    const s3 = new aws.ec2.VpcEndpoint(
      `${name}-s3`,
      {
        vpcId: vpc.id,
        serviceName: pulumi.interpolate`com.amazonaws.${region}.s3`,
        vpcEndpointType: "Gateway",
        routeTableIds: [routes.id],
        tags: tags("s3"),
      },
      { parent: this },
    );
    this.vpcId = vpc.id;
    // Who uses a subnet wants its ways as well.
    this.subnetIds = subnets.map((subnet) =>
      pulumi.all([subnet.id, s3.id, ...ways.map((way) => way.id)]).apply(([id]) => id as string),
    );
    this.registerOutputs({ vpcId: this.vpcId, subnetIds: this.subnetIds });
  }
}

/** Names of the region's zones: asked for only once the VPC is there, so a preview of a new stack needs no account. */
export const zoneNames = (vpc: aws.ec2.Vpc, parent: pulumi.Resource): pulumi.Output<readonly string[]> =>
  aws.getAvailabilityZonesOutput(
    { state: "available", filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }] },
    { parent, dependsOn: [vpc] },
  ).names;

/** So many blocks of one size within a block of addresses, each as large as can be. @throws UsageError when it is none. */
export function subnetBlocks(cidr: string, count: number): readonly string[] {
  const { address, bits } = cidrBlock(cidr);
  const size = bits + Math.ceil(Math.log2(count));
  const text = (n: number) => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join(".");
  return Array.from({ length: count }, (_, i) => `${text(address + i * 2 ** (32 - size))}/${size}`);
}

/** @throws UsageError when subnets are given without what they are in. */
export function checkSubnets(given: Subnets): Subnets {
  if (!given.vpcId) throw new UsageError("network has subnetIds and no vpcId: give the VPC that the subnets are in");
  if (!given.subnetIds || given.subnetIds.length === 0) {
    throw new UsageError("network has a vpcId and no subnetIds: give at least one, or use new Network()");
  }
  return given;
}

/** Lets machines reach out; nobody reaches in by it. */
export const egressAnywhere = (name: string, group: aws.ec2.SecurityGroup, parent: pulumi.Resource) =>
  new aws.vpc.SecurityGroupEgressRule(
    name,
    { securityGroupId: group.id, cidrIpv4: "0.0.0.0/0", ipProtocol: "-1", tags: stackTags() },
    { parent },
  );
