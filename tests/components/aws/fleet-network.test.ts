import { afterEach, beforeAll, expect, test } from "vitest";
import { FleetNetwork, type FleetNetworkArgs } from "../../../components/aws/fleet/network.ts";
import { subnetBlocks } from "../../../components/aws/network.ts";
import { fakeAws } from "../../stacks/fake-aws.ts";
import { type Registered, record, settle } from "../mocks.ts";

process.env.AWS_REGION = "us-west-2";

let resources: Registered[];
beforeAll(() => {
  resources = record(fakeAws).resources;
});
afterEach(() => {
  resources.length = 0;
});

const make = (args: Partial<FleetNetworkArgs> = {}) =>
  settle(
    () =>
      new FleetNetwork("net", { bucketArn: "arn:aws:s3:::the-lake", ends: { "oneoff:deadline": "8 hours" }, ...args }),
  );
const ofType = (type: string) => resources.filter((resource) => resource.type.endsWith(`:${type}`));
const named = (name: string) => resources.find((resource) => resource.name === name)?.inputs ?? {};

test("nothing leads to the internet, in or out", async () => {
  await make();
  const types = resources.filter(({ custom }) => custom).map(({ type }) => type.split(":").at(-1));
  expect(types.sort()).toEqual([
    "RouteTable",
    "RouteTableAssociation",
    "RouteTableAssociation",
    "SecurityGroup",
    "SecurityGroup",
    "SecurityGroupEgressRule",
    "SecurityGroupEgressRule",
    "SecurityGroupEgressRule",
    "SecurityGroupIngressRule",
    "SecurityGroupIngressRule",
    "Subnet",
    "Subnet",
    "Vpc",
    "VpcEndpoint",
    "VpcEndpoint",
    "VpcEndpoint",
    "VpcEndpoint",
  ]);
  expect(JSON.stringify(resources)).not.toMatch(/0\.0\.0\.0\/0|::\/0|mapPublicIpOnLaunch/);
  expect(named("net-routes")).not.toHaveProperty("routes");
  for (const { name, inputs } of [...ofType("SecurityGroupEgressRule"), ...ofType("SecurityGroupIngressRule")]) {
    expect(inputs, name).not.toHaveProperty("cidrIpv4");
    expect(inputs.prefixListId ?? inputs.referencedSecurityGroupId, name).toBeDefined();
  }
});

test("nodes reach each other, S3 and the endpoints, and the endpoints let nodes alone in", async () => {
  await make();
  const rule = (name: string) => {
    const { securityGroupId, referencedSecurityGroupId, prefixListId, fromPort, toPort } = named(`net-${name}`);
    return [securityGroupId, referencedSecurityGroupId ?? prefixListId, fromPort, toPort];
  };
  expect(rule("among-nodes")).toEqual(["net-nodes-id", "net-nodes-id", 0, 65_535]);
  expect(rule("to-nodes")).toEqual(["net-nodes-id", "net-nodes-id", 0, 65_535]);
  expect(rule("to-s3")).toEqual(["net-nodes-id", "pl-s3", 443, 443]);
  expect(rule("to-endpoints")).toEqual(["net-nodes-id", "net-endpoints-id", 443, 443]);
  expect(rule("from-nodes")).toEqual(["net-endpoints-id", "net-nodes-id", 443, 443]);
  const interfaces = ofType("VpcEndpoint").filter(({ inputs }) => inputs.vpcEndpointType === "Interface");
  expect(interfaces.map(({ inputs }) => inputs.serviceName)).toEqual(
    ["ssm", "ssmmessages", "sts"].map((service) => `com.amazonaws.us-west-2.${service}`),
  );
  for (const { inputs } of interfaces) {
    expect(inputs).toMatchObject({ privateDnsEnabled: true, securityGroupIds: ["net-endpoints-id"] });
    expect(inputs.subnetIds).toEqual(["net-subnet-1-id", "net-subnet-2-id"]);
  }
});

test("by the gateway to S3 one gets to the lake and to Amazon Linux's repositories, and no other bucket", async () => {
  await make();
  const { Statement } = JSON.parse(named("net-s3").policy as string);
  expect(Statement.map(({ Resource, Action }: { Resource: unknown; Action: unknown }) => [Resource, Action])).toEqual([
    [
      ["arn:aws:s3:::the-lake", "arn:aws:s3:::the-lake/*"],
      [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
      ],
    ],
    ["arn:aws:s3:::al2023-repos-us-west-2-de612dc2/*", "s3:GetObject"],
  ]);
});

test("subnets lie in different zones, and blocks within the VPC's", async () => {
  await make({ zones: 3 });
  expect(ofType("Subnet").map(({ inputs }) => [inputs.cidrBlock, inputs.availabilityZone])).toEqual([
    ["10.84.0.0/22", "us-west-2a"],
    ["10.84.4.0/22", "us-west-2b"],
    ["10.84.8.0/22", "us-west-2c"],
  ]);
  expect(subnetBlocks("10.83.0.0/20", 2)).toEqual(["10.83.0.0/21", "10.83.8.0/21"]);
  expect(subnetBlocks("10.83.0.0/24", 1)).toEqual(["10.83.0.0/24"]);
});

test("addresses that are no block are refused before anything is made", async () => {
  await expect(make({ cidr: "10.84.0.1/20" })).rejects.toThrow('cidr is "10.84.0.1/20"');
  expect(resources.filter(({ custom }) => custom)).toEqual([]);
});
