import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { stackTags } from "../../common/naming.ts";
import { addressStatements } from "../lake-statements.ts";
import { subnetBlocks, zoneNames } from "../network.ts";
import { FLEET_ENDPOINTS } from "./bill.ts";

export interface FleetNetworkArgs {
  /** ARN of the lake's bucket: the only one of the account that nodes reach. */
  readonly bucketArn: pulumi.Input<string>;
  /** Addresses in S3 beside it that they may read, "s3://bucket/prefix". @default none */
  readonly reads?: readonly string[];
  /** Tags of what costs by the hour, by which the reaper ends it. */
  readonly ends: pulumi.Input<Record<string, string>>;
  /** What must be there before anything that costs. @default nothing */
  readonly guards?: readonly pulumi.Resource[];
  /** In how many zones there are subnets. @default 2 */
  readonly zones?: number;
  /** Addresses of the VPC, a /16 to /24. @default "10.84.0.0/20" */
  readonly cidr?: string;
}

/**
 * A VPC without a way to the internet, in or out: private subnets, a gateway endpoint that leads to the lake and to Amazon Linux's
 * repositories (ADR 18), and interface endpoints for Session Manager and for users' credentials.
 */
export class FleetNetwork extends pulumi.ComponentResource {
  readonly vpcId: pulumi.Output<string>;
  /** In different zones. */
  readonly subnetIds: readonly pulumi.Output<string>[];
  /** Zone of each. */
  readonly zones: readonly pulumi.Output<string>[];
  /** Group of the nodes: they reach each other and the endpoints, and nobody else reaches them. */
  readonly nodes: aws.ec2.SecurityGroup;
  /** What must be there before a node can install anything, or be reached. */
  readonly parts: readonly pulumi.Resource[];

  /** @throws UsageError when `cidr` isn't a block of addresses. */
  constructor(name: string, args: FleetNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:FleetNetwork", name, {}, opts);
    const { bucketArn, reads = [], ends, guards = [], zones = 2, cidr = "10.84.0.0/20" } = args;
    const blocks = subnetBlocks(cidr, zones);
    const tags = (what: string) => stackTags({ Name: `${pulumi.getStack()}-${name}-${what}` });
    const own = { parent: this };
    const vpc = new aws.ec2.Vpc(
      `${name}-vpc`,
      { cidrBlock: cidr, enableDnsHostnames: true, enableDnsSupport: true, tags: tags("vpc") },
      own,
    );
    // Nothing but the VPC itself, and what the gateway endpoint adds.
    const routes = new aws.ec2.RouteTable(`${name}-routes`, { vpcId: vpc.id, tags: tags("routes") }, own);
    const names = zoneNames(vpc, this);
    const subnets = blocks.map(
      (cidrBlock, i) =>
        new aws.ec2.Subnet(
          `${name}-subnet-${i + 1}`,
          {
            vpcId: vpc.id,
            cidrBlock,
            availabilityZone: names.apply((names) => names[i % names.length] as string),
            tags: tags(`subnet-${i + 1}`),
          },
          { ...own, ignoreChanges: ["availabilityZone"] }, // a zone that is added must not move the subnets
        ),
    );
    const ways = subnets.map(
      (subnet, i) =>
        new aws.ec2.RouteTableAssociation(
          `${name}-way-${i + 1}`,
          { routeTableId: routes.id, subnetId: subnet.id },
          own,
        ),
    );
    const region = vpc.arn.apply((arn) => arn.split(":")[3] as string);
    const service = (of: string) => pulumi.interpolate`com.amazonaws.${region}.${of}`;
    const s3 = new aws.ec2.VpcEndpoint(
      `${name}-s3`,
      {
        vpcId: vpc.id,
        serviceName: service("s3"),
        vpcEndpointType: "Gateway",
        routeTableIds: [routes.id],
        policy: gatewayPolicy(bucketArn, reads, region),
        tags: tags("s3"),
      },
      own,
    );
    const group = (what: string, description: string) =>
      new aws.ec2.SecurityGroup(
        `${name}-${what}`,
        { vpcId: vpc.id, description, revokeRulesOnDelete: true, tags: tags(what) },
        own,
      );
    const nodes = group("nodes", "Nodes of a fleet: they reach each other, and nobody else reaches them");
    const doors = group("endpoints", "Endpoints of a fleet: its nodes reach them");
    const rules = rulesOf(name, nodes, doors, s3, own);
    const endpoints = FLEET_ENDPOINTS.map(
      (of) =>
        new aws.ec2.VpcEndpoint(
          `${name}-${of}`,
          {
            vpcId: vpc.id,
            serviceName: service(of),
            vpcEndpointType: "Interface",
            subnetIds: subnets.map(({ id }) => id),
            securityGroupIds: [doors.id],
            privateDnsEnabled: true,
            tags: pulumi.output(ends).apply((ends): Record<string, string> => ({ ...ends, ...tags(of) })),
          },
          { ...own, dependsOn: [...guards] },
        ),
    );
    this.vpcId = vpc.id;
    this.subnetIds = subnets.map(({ id }) => id);
    this.zones = subnets.map(({ availabilityZone }) => availabilityZone);
    this.nodes = nodes;
    this.parts = [s3, ...ways, ...rules, ...endpoints];
    this.registerOutputs({ vpcId: this.vpcId, subnetIds: this.subnetIds });
  }
}

/** Who may reach whom. */
function rulesOf(
  name: string,
  nodes: aws.ec2.SecurityGroup,
  doors: aws.ec2.SecurityGroup,
  s3: aws.ec2.VpcEndpoint,
  opts: pulumi.CustomResourceOptions,
): readonly pulumi.Resource[] {
  const { SecurityGroupEgressRule: Out, SecurityGroupIngressRule: In } = aws.vpc;
  const https = { ipProtocol: "tcp", fromPort: 443, toPort: 443, tags: stackTags() };
  const any = { ipProtocol: "tcp", fromPort: 0, toPort: 65_535, tags: stackTags() };
  const ofNodes = { securityGroupId: nodes.id };
  const node = { referencedSecurityGroupId: nodes.id };
  return [
    new In(`${name}-among-nodes`, { ...ofNodes, ...node, ...any }, opts),
    new Out(`${name}-to-nodes`, { ...ofNodes, ...node, ...any }, opts),
    new Out(`${name}-to-s3`, { ...ofNodes, prefixListId: s3.prefixListId, ...https }, opts),
    new Out(`${name}-to-endpoints`, { ...ofNodes, referencedSecurityGroupId: doors.id, ...https }, opts),
    new In(`${name}-from-nodes`, { securityGroupId: doors.id, ...node, ...https }, opts),
  ];
}

/** All that anybody does with the lake by this way. */
const LAKE_ACTIONS = [
  "s3:AbortMultipartUpload",
  "s3:DeleteObject",
  "s3:GetBucketLocation",
  "s3:GetObject",
  "s3:ListBucket",
  "s3:ListMultipartUploadParts",
  "s3:PutObject",
];

/**
 * What the gateway lets through: the lake, for who may use it, what a job reads beside it, and Amazon Linux's repositories of the region, which dnf reads
 * without credentials; see docs/hard-won.md.
 */
const gatewayPolicy = (
  bucketArn: pulumi.Input<string>,
  reads: readonly string[],
  region: pulumi.Output<string>,
): pulumi.Output<string> =>
  pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: "*",
        Action: LAKE_ACTIONS,
        Resource: [bucketArn, pulumi.interpolate`${bucketArn}/*`],
      },
      ...reads.flatMap(addressStatements).map((statement) => ({ Effect: "Allow", Principal: "*", ...statement })),
      {
        Effect: "Allow",
        Principal: "*",
        Action: "s3:GetObject",
        Resource: pulumi.interpolate`arn:aws:s3:::al2023-repos-${region}-de612dc2/*`,
      },
    ],
  });
