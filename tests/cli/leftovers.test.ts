/** What is left of a stack on AWS, among things that are none of its own and must survive. */
import {
  AthenaClient,
  CreateWorkGroupCommand,
  ListWorkGroupsCommand,
  StartQueryExecutionCommand,
} from "@aws-sdk/client-athena";
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  AttachInternetGatewayCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateInternetGatewayCommand,
  CreateLaunchTemplateCommand,
  CreateNetworkInterfaceCommand,
  CreateRouteTableCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVolumeCommand,
  CreateVpcCommand,
  CreateVpcEndpointCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  DescribeVpcEndpointsCommand,
  DescribeVpcsCommand,
  EC2Client,
  type ResourceType,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import {
  CreateSecurityConfigurationCommand,
  DescribeClusterCommand,
  EMRClient,
  ListSecurityConfigurationsCommand,
  RunJobFlowCommand,
  TerminateJobFlowsCommand,
} from "@aws-sdk/client-emr";
import {
  AddRoleToInstanceProfileCommand,
  CreateInstanceProfileCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  IAMClient,
  ListInstanceProfilesCommand,
  ListPoliciesCommand,
  ListRolesCommand,
  PutRolePolicyCommand,
} from "@aws-sdk/client-iam";
import {
  CreateBucketCommand,
  ListBucketsCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { GetParameterCommand, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseArn } from "../../cli/aws/leftovers/tagged.ts";
import { type Moto, startMoto } from "../moto.ts";
import { type Front, Refusal, startFront } from "./front.ts";
import { STACK, type StackOnAws, stackOnAws, typed } from "./stack.ts";

const OWN = "oneoff/emr-oneoff";
/** A stack whose name goes on where ours ends, one of another project, and what no stack has. */
const OTHERS = ["oneoff/emr-oneoff-large", "other/emr-oneoff", undefined];

let moto: Moto;
let front: Front;
let stack: StackOnAws;

beforeAll(async () => {
  moto = await startMoto();
  front = await startFront(moto.url);
  process.env.AWS_ENDPOINT_URL = front.url;
  stack = await stackOnAws({ AWS_ENDPOINT_URL: front.url }, { cluster: "emr" });
}, 60_000);
afterAll(() => {
  stack.remove();
  front.close();
  moto.close();
});
beforeEach(async () => {
  await moto.reset();
  front.reset();
  listConfigurations();
});

/** moto makes and deletes security configurations and has no list of them. */
function listConfigurations(): void {
  const names = new Set<unknown>();
  front.amend("CreateSecurityConfiguration", (answer, { Name }) => {
    names.add(Name);
    return answer;
  });
  front.amend("DeleteSecurityConfiguration", (answer, { Name }) => {
    names.delete(Name);
    return answer;
  });
  const list = () => ({
    SecurityConfigurations: [...names].map((Name) => ({ Name, CreationDateTime: 1_790_000_000 })),
  });
  front.answer("ListSecurityConfigurations", list);
}

const tags = (owner: string | undefined, more: Readonly<Record<string, string>> = {}) =>
  Object.entries({ ...(owner ? { "oneoff:stack": owner } : { Name: "nobody" }), ...more }).map(([Key, Value]) => ({
    Key,
    Value,
  }));
/** Digits that no two components have in common. */
const hex = (owner: string | undefined) => (owner === OWN ? "0a1b2c3d" : `0a1b2c4${OTHERS.indexOf(owner)}`);
const slug = (owner: string | undefined) => (owner ?? "mine/things").replace("/", "-");

/** One of everything that a stack can leave. */
async function make(owner: string | undefined): Promise<void> {
  const region = {};
  const ec2 = new EC2Client(region);
  const tagged = (type: ResourceType) => [{ ResourceType: type, Tags: tags(owner) }];
  const vpc = await ec2.send(new CreateVpcCommand({ CidrBlock: "10.0.0.0/16", TagSpecifications: tagged("vpc") }));
  const VpcId = vpc.Vpc?.VpcId as string;
  const subnet = await ec2.send(
    new CreateSubnetCommand({ VpcId, CidrBlock: "10.0.0.0/24", TagSpecifications: tagged("subnet") }),
  );
  const gateway = await ec2.send(new CreateInternetGatewayCommand({ TagSpecifications: tagged("internet-gateway") }));
  const InternetGatewayId = gateway.InternetGateway?.InternetGatewayId as string;
  await ec2.send(new AttachInternetGatewayCommand({ VpcId, InternetGatewayId }));
  await ec2.send(new CreateRouteTableCommand({ VpcId, TagSpecifications: tagged("route-table") }));
  await ec2.send(
    new CreateVpcEndpointCommand({
      VpcId,
      ServiceName: "com.amazonaws.us-west-2.s3",
      VpcEndpointType: "Interface", // moto fails to delete one of type Gateway
      TagSpecifications: tagged("vpc-endpoint"),
    }),
  );
  const group = async (name: string) =>
    (
      await ec2.send(
        new CreateSecurityGroupCommand({
          GroupName: name,
          Description: name,
          VpcId,
          TagSpecifications: tagged("security-group"),
        }),
      )
    ).GroupId as string;
  const [primary, workers] = [await group("primary"), await group("workers")];
  for (const [GroupId, other] of [
    [primary, workers],
    [workers, primary],
  ] as const) {
    const UserIdGroupPairs = [{ GroupId: other }];
    const IpPermissions = [{ IpProtocol: "tcp", FromPort: 0, ToPort: 65_535, UserIdGroupPairs }];
    await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
  }
  await ec2.send(
    new CreateVolumeCommand({ AvailabilityZone: "us-west-2a", Size: 8, TagSpecifications: tagged("volume") }),
  );
  await ec2.send(
    new CreateLaunchTemplateCommand({
      LaunchTemplateName: `${slug(owner)}-template`,
      LaunchTemplateData: { ImageId: "ami-12c6146b", InstanceType: "t3.micro" },
      TagSpecifications: tagged("launch-template"),
    }),
  );
  await ec2.send(
    new RunInstancesCommand({
      MinCount: 1,
      MaxCount: 1,
      ImageId: "ami-12c6146b",
      SubnetId: subnet.Subnet?.SubnetId as string,
      TagSpecifications: tagged("instance"),
    }),
  );
  const AutoScalingGroupName = `${slug(owner)}-workers`;
  await new AutoScalingClient(region).send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName,
      MinSize: 0,
      MaxSize: 1,
      AvailabilityZones: ["us-west-2a"],
      LaunchTemplate: { LaunchTemplateName: `${slug(owner)}-template` },
      Tags: tags(owner).map((tag) => ({ ...tag, PropagateAtLaunch: true })),
    }),
  );

  const emr = new EMRClient(region);
  const flow = { Name: "c", Instances: { KeepJobFlowAliveWhenNoSteps: true }, Tags: tags(owner) };
  await emr.send(new RunJobFlowCommand(flow));
  const Name = `${slug(owner)}-cluster-${hex(owner)}`;
  await emr.send(new CreateSecurityConfigurationCommand({ Name, SecurityConfiguration: "{}" }));

  const iam = new IAMClient(region);
  const Path = owner ? `/oneoff/${owner}/` : "/";
  const role = { RoleName: `${slug(owner)}-role`, Path, AssumeRolePolicyDocument: "{}" };
  await iam.send(new CreateRoleCommand(role));
  const PolicyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/*" }],
  });
  await iam.send(new PutRolePolicyCommand({ RoleName: role.RoleName, PolicyName: "inline", PolicyDocument }));
  const InstanceProfileName = `${slug(owner)}-profile`;
  await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName, Path }));
  await iam.send(new AddRoleToInstanceProfileCommand({ InstanceProfileName, RoleName: role.RoleName }));
  await iam.send(new CreatePolicyCommand({ PolicyName: `${slug(owner)}-policy`, Path, PolicyDocument }));

  const s3 = new S3Client(region);
  const Bucket = `${slug(owner)}-lake-${hex(owner)}`;
  await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }));
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  for (const Body of ["1", "2"]) await s3.send(new PutObjectCommand({ Bucket, Key: "_runs/1.json", Body }));
  if (owner) await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: tags(owner) } }));
  await new AthenaClient(region).send(new CreateWorkGroupCommand({ Name: `${slug(owner)}-lake`, Tags: tags(owner) }));
  await new SSMClient(region).send(
    new PutParameterCommand({ Name: `/${slug(owner)}/key`, Value: "v", Type: "String", Tags: tags(owner) }),
  );
}

/** Everything there is of an owner, by whatever it is found. */
async function inventory(owner: string | undefined): Promise<readonly string[]> {
  const ec2 = await new EC2Client({}).send(
    new DescribeTagsCommand({ Filters: [{ Name: "value", Values: [owner ?? "nobody"] }] }),
  );
  const emr = new EMRClient({});
  const { SecurityConfigurations = [] } = await emr.send(new ListSecurityConfigurationsCommand({}));
  const iam = new IAMClient({});
  const { Roles = [] } = await iam.send(new ListRolesCommand({}));
  const { InstanceProfiles = [] } = await iam.send(new ListInstanceProfilesCommand({}));
  const { Policies = [] } = await iam.send(new ListPoliciesCommand({ Scope: "Local" }));
  const { Buckets = [] } = await new S3Client({}).send(new ListBucketsCommand({}));
  const { WorkGroups = [] } = await new AthenaClient({}).send(new ListWorkGroupsCommand({}));
  const { AutoScalingGroups = [] } = await new AutoScalingClient({}).send(new DescribeAutoScalingGroupsCommand({}));
  const names = [
    ...SecurityConfigurations.map(({ Name }) => `configuration ${Name}`),
    ...Roles.map(({ RoleName }) => `role ${RoleName}`),
    ...InstanceProfiles.map(({ InstanceProfileName }) => `profile ${InstanceProfileName}`),
    ...Policies.map(({ PolicyName }) => `policy ${PolicyName}`),
    ...Buckets.map(({ Name }) => `bucket ${Name}`),
    ...WorkGroups.map(({ Name }) => `workgroup ${Name}`),
    ...AutoScalingGroups.map(({ AutoScalingGroupName }) => `group ${AutoScalingGroupName}`),
  ].filter((name) => name.split(" ")[1]?.startsWith(`${slug(owner)}-`));
  const tagged = (ec2.Tags ?? []).map(({ ResourceType, ResourceId }) => `${ResourceType} ${ResourceId}`);
  return [...names, ...tagged].sort();
}

const kinds = (output: string) =>
  output
    .split("\n")
    .map((line) => /^(.{26}) {2}\S/.exec(line)?.[1]?.trim())
    .filter((kind) => kind !== undefined);

const EVERYTHING = [
  "Auto Scaling group",
  "EC2 instance",
  "EMR cluster",
  "Athena workgroup",
  "SSM parameter",
  "VPC endpoint",
  "EBS volume",
  "launch template",
  "security group",
  "security group",
  "subnet",
  "route table",
  "internet gateway",
  "VPC",
  "S3 bucket",
  "EMR security configuration",
  "IAM instance profile",
  "IAM role",
  "IAM policy",
];

test("nothing is left where nothing was, and where all has ended", async () => {
  const clean = { code: 0, output: "Nothing is left of stack emr-oneoff.\n" };
  expect(await stack.oneoff("leftovers", STACK)).toEqual(clean);
  for (const owner of OTHERS) await make(owner);
  const emr = new EMRClient({});
  const flow = { Name: "c", Instances: { KeepJobFlowAliveWhenNoSteps: true }, Tags: tags(OWN) };
  const { JobFlowId } = await emr.send(new RunJobFlowCommand(flow));
  await emr.send(new TerminateJobFlowsCommand({ JobFlowIds: [JobFlowId as string] }));
  const ec2 = new EC2Client({});
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      MinCount: 1,
      MaxCount: 1,
      ImageId: "ami-12c6146b",
      TagSpecifications: [{ ResourceType: "instance", Tags: tags(OWN) }],
    }),
  );
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [Instances?.[0]?.InstanceId as string] }));
  expect(await stack.oneoff("leftovers", STACK)).toEqual(clean);
}, 60_000);

test("everything that is left is found, removed on demand, and nothing else", async () => {
  await make(OWN);
  for (const owner of OTHERS) await make(owner);
  const before = await Promise.all(OTHERS.map(inventory));
  expect(before.every((things) => things.length > 7)).toBe(true);

  const { code, output } = await stack.oneoff("leftovers", STACK);
  expect(code).toBe(1);
  expect(kinds(output).sort()).toEqual([...EVERYTHING].sort());
  expect(output).toMatch(/^EC2 instance {16}i-[0-9a-f]+ {2}since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/m);
  expect(output).toContain(
    '19 things are left of stack emr-oneoff (lake oneoff-emr-oneoff-lake-0a1b2c3d); "npx --no oneoff leftovers emr-oneoff --delete" removes them.',
  );
  expect(await stack.oneoff("leftovers", STACK, "--delete")).toMatchObject({
    code: 2,
    output: expect.stringContaining("oneoff: --delete removes what is left, and nobody can be asked here: say --yes"),
  });
  expect(kinds((await stack.oneoff("leftovers", STACK)).output)).toHaveLength(19);

  const unsaid = await stack.oneoff("leftovers", STACK, "--delete", "--yes");
  expect(unsaid.code).toBe(2);
  expect(unsaid.output).toContain(
    'oneoff: --yes would not ask whether lake "oneoff-emr-oneoff-lake-0a1b2c3d" is yours: say so by --lake oneoff-emr-oneoff-lake-0a1b2c3d',
  );
  const lake = ["--lake", "oneoff-emr-oneoff-lake-0a1b2c3d"];
  const removed = await stack.oneoff("leftovers", STACK, "--delete", "--yes", ...lake);
  expect(removed.output).not.toContain("can't be removed");
  expect(removed).toMatchObject({
    code: 0,
    output: expect.stringMatching(/\nNothing is left of stack emr-oneoff\.\n$/),
  });
  const names = (await inventory(OWN)).filter((name) =>
    /^(config|role|profile|policy|bucket|workgroup|group)/.test(name),
  );
  expect(names.filter((name) => !name.includes("-large-"))).toEqual([]);
  const ec2 = new EC2Client({});
  const own = { Filters: [{ Name: "tag:oneoff:stack", Values: [OWN] }] };
  expect((await ec2.send(new DescribeVpcsCommand(own))).Vpcs).toEqual([]);
  expect((await ec2.send(new DescribeSecurityGroupsCommand(own))).SecurityGroups).toEqual([]);
  expect((await ec2.send(new DescribeVolumesCommand(own))).Volumes).toEqual([]);
  await expect(new SSMClient({}).send(new GetParameterCommand({ Name: "/oneoff-emr-oneoff/key" }))).rejects.toThrow();
  expect(await Promise.all(OTHERS.map(inventory))).toEqual(before);
}, 120_000);

test("a lake that is retained stays, and is no leftover", async () => {
  const s3 = new S3Client({});
  const Bucket = "oneoff-emr-oneoff-lake-0a1b2c3d";
  await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }));
  const TagSet = tags(OWN, { "oneoff:removal": "retain" });
  await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  expect(await stack.oneoff("leftovers", STACK, "--delete", "--yes")).toEqual({
    code: 0,
    output: `S3 bucket                   ${Bucket}  kept on purpose\nNothing else is left of stack emr-oneoff.\n`,
  });
  await s3.send(
    new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: tags(OWN, { "oneoff:removal": "delete" }) } }),
  );
  expect(await stack.oneoff("leftovers", STACK)).toMatchObject({
    code: 1,
    output: expect.stringContaining("1 thing is left"),
  });
}, 60_000);

/** What names a lake: a bucket, a cluster and a machine. Resolves to whether each of them is still there. */
async function makeOfLake(Bucket: string, more: Readonly<Record<string, string>> = {}) {
  const marks = tags(OWN, { "oneoff:lake": Bucket });
  const s3 = new S3Client({});
  await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }));
  await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: tags(OWN, more) } }));
  const emr = new EMRClient({});
  const flow = { Name: "c", Instances: { KeepJobFlowAliveWhenNoSteps: true }, Tags: marks };
  const { JobFlowId: ClusterId } = await emr.send(new RunJobFlowCommand(flow));
  const ec2 = new EC2Client({});
  const TagSpecifications = [{ ResourceType: "instance" as const, Tags: marks }];
  const machine = { MinCount: 1, MaxCount: 1, ImageId: "ami-12c6146b", TagSpecifications };
  const { Instances } = await ec2.send(new RunInstancesCommand(machine));
  const id = Instances?.[0]?.InstanceId as string;
  return async () => {
    const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
    const { Cluster } = await emr.send(new DescribeClusterCommand({ ClusterId }));
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    return {
      bucket: Buckets.some(({ Name }) => Name === Bucket),
      cluster: Cluster?.Status?.State === "WAITING",
      machine: Reservations?.[0]?.Instances?.[0]?.State?.Name === "running",
    };
  };
}
const allOfIt = { bucket: true, cluster: true, machine: true };
const noneOfIt = { bucket: false, cluster: false, machine: false };

async function makeParameter(): Promise<() => Promise<boolean>> {
  const ssm = new SSMClient({});
  await ssm.send(new PutParameterCommand({ Name: "/p", Value: "v", Type: "String", Tags: tags(OWN) }));
  return () =>
    ssm.send(new GetParameterCommand({ Name: "/p" })).then(
      () => true,
      () => false,
    );
}

test("of two stacks of one name, only what is of the chosen lake is removed", async () => {
  const [mine, theirs, parameter] = [
    await makeOfLake("my-lake"),
    await makeOfLake("their-lake"),
    await makeParameter(), // whose it is, nothing says
  ];
  const told = (await stack.oneoff("leftovers", STACK)).output.split("\n");
  expect(told.filter((line) => /^Of |^7 things/.test(line))).toEqual([
    "Of lake my-lake:",
    "Of lake their-lake:",
    "Of no lake by name:",
    '7 things are left of stack emr-oneoff; that is of lakes "my-lake" and "their-lake", maybe two people\'s: choose with --lake; what names no lake is removed when all are chosen.',
  ]);
  expect(told.slice(5, 8).map((line) => line.slice(0, 12))).toEqual(["EC2 instance", "EMR cluster ", "S3 bucket   "]);

  const refused = await stack.oneoff("leftovers", STACK, "--delete", "--yes");
  expect(refused.code).toBe(2);
  expect(refused.output).toContain(
    'oneoff: --delete would be for lakes "my-lake" and "their-lake", maybe two people\'s',
  );
  const wrong = await stack.oneoff("leftovers", STACK, "--delete", "--yes", "--lake", "no-lake");
  expect(wrong).toEqual({
    code: 2,
    output: 'oneoff: --lake is "no-lake": nothing is left of that lake, there is "my-lake" and "their-lake"\n',
  });
  expect([await mine(), await theirs(), await parameter()]).toEqual([allOfIt, allOfIt, true]);

  const chosen = await stack.oneoff("leftovers", STACK, "--delete", "--yes", "--lake", "my-lake");
  expect(chosen.output).toContain("\n4 things are of another lake, or name none.\n");
  expect(chosen.output).toMatch(/\nNothing is left of stack emr-oneoff with lake my-lake\.\n$/);
  expect(chosen.code).toBe(0);
  expect([await mine(), await theirs(), await parameter()]).toEqual([noneOfIt, allOfIt, true]);
}, 60_000);

test("with all lakes chosen, what names none is removed too, and what is retained stays", async () => {
  const [kept, other] = [await makeOfLake("kept-lake", { "oneoff:removal": "retain" }), await makeOfLake("other-lake")];
  const parameter = await makeParameter();
  const lakes = ["--lake", "s3://kept-lake", "--lake", "other-lake"];
  expect(await stack.oneoff("leftovers", STACK, "--delete", "--yes", ...lakes)).toMatchObject({ code: 0 });
  expect([await kept(), await other(), await parameter()]).toEqual([{ ...noneOfIt, bucket: true }, noneOfIt, false]);
}, 60_000);

test("a bucket that was kept on purpose makes no second lake of it", async () => {
  const Bucket = "kept-lake";
  const s3 = new S3Client({});
  await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }));
  const TagSet = tags(OWN, { "oneoff:removal": "retain" });
  await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  const next = await makeOfLake("next-lake");
  const lake = ["--lake", "next-lake"];
  expect(await stack.oneoff("leftovers", STACK, "--delete", "--yes", ...lake)).toMatchObject({ code: 0 });
  expect(await next()).toEqual(noneOfIt);
  expect((await s3.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toEqual([Bucket]);
}, 60_000);

test("what EMR leaves in the stack's network is found without a tag, and nothing of another network", async () => {
  const ec2 = new EC2Client({});
  /** What EMR leaves, in a VPC of somebody; resolves to which of it is still there. */
  const network = async (owner: string | undefined) => {
    const TagSpecifications = [{ ResourceType: "vpc" as const, Tags: tags(owner) }];
    const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: "10.0.0.0/16", TagSpecifications }));
    const VpcId = Vpc?.VpcId as string;
    const { Subnet } = await ec2.send(
      new CreateSubnetCommand({
        VpcId,
        CidrBlock: "10.0.0.0/24",
        TagSpecifications: [{ ResourceType: "subnet", Tags: tags(owner) }],
      }),
    );
    const SubnetId = Subnet?.SubnetId as string;
    const ServiceName = "com.amazonaws.us-west-2.elasticmapreduce";
    const endpoint = new CreateVpcEndpointCommand({
      VpcId,
      ServiceName,
      VpcEndpointType: "Interface",
      SubnetIds: [SubnetId],
    });
    await ec2.send(endpoint);
    await ec2.send(new CreateNetworkInterfaceCommand({ SubnetId }));
    const GroupName = "ElasticMapReduce-ServiceAccess";
    await ec2.send(new CreateSecurityGroupCommand({ GroupName, Description: GroupName, VpcId }));
    return async () => {
      const Filters = [{ Name: "vpc-id", Values: [VpcId] }];
      const { VpcEndpoints } = await ec2.send(new DescribeVpcEndpointsCommand({ Filters }));
      const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand({ Filters }));
      const { SecurityGroups } = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }));
      return {
        endpoints: VpcEndpoints?.filter(({ State }) => State?.toLowerCase() !== "deleted").length,
        interfaces: NetworkInterfaces?.length,
        groups: SecurityGroups?.map(({ GroupName }) => GroupName).sort(),
      };
    };
  };
  const own = await network(OWN);
  const others = await Promise.all(OTHERS.map(network));
  const all = { endpoints: 1, interfaces: 2, groups: ["ElasticMapReduce-ServiceAccess", "default"] };
  expect(await Promise.all([own, ...others].map((there) => there()))).toEqual([all, all, all, all]);
  expect(kinds((await stack.oneoff("leftovers", STACK)).output)).toEqual([
    "VPC endpoint",
    "network interface", // the endpoint's own goes with it
    "security group",
    "subnet",
    "VPC",
  ]);
  const removed = await stack.oneoff("leftovers", STACK, "--delete", "--yes");
  expect(removed.output).not.toContain("can't be removed");
  expect(removed.code).toBe(0);
  expect(await own()).toEqual({ endpoints: 0, interfaces: 0, groups: [] });
  expect(await Promise.all(others.map((there) => there()))).toEqual([all, all, all]);
}, 60_000);

/** Things that the tagging API lists, and whether Cloud Control finds them. */
function controls(things: Readonly<Record<string, { readonly type: string; readonly id: string; there: boolean }>>) {
  const of = (id: unknown) => Object.values(things).find((thing) => thing.id === id);
  front.answer("GetResources", () => ({
    ResourceTagMappingList: Object.keys(things).map((ResourceARN) => ({ ResourceARN, Tags: tags(OWN) })),
  }));
  front.answer("GetResource", ({ TypeName, Identifier }) => {
    const thing = of(Identifier);
    if (!thing || thing.type !== TypeName) return new Refusal("UnsupportedActionException");
    return thing.there ? { TypeName, ResourceDescription: { Identifier } } : new Refusal("ResourceNotFoundException");
  });
  front.answer("DeleteResource", ({ Identifier }) => ({
    ProgressEvent: { RequestToken: String(Identifier), OperationStatus: "IN_PROGRESS" },
  }));
  front.answer("GetResourceRequestStatus", ({ RequestToken }) => {
    const thing = of(RequestToken);
    if (thing?.id.includes("stuck")) {
      return {
        ProgressEvent: { OperationStatus: "FAILED", ErrorCode: "ResourceConflict", StatusMessage: "It is in use" },
      };
    }
    if (thing) thing.there = false;
    return { ProgressEvent: { OperationStatus: "SUCCESS" } };
  });
}

const arn = (service: string, rest: string) => `arn:aws:${service}:us-west-2:123456789012:${rest}`;

test("what else AWS has is looked for and removed by Cloud Control; what is gone is no leftover", async () => {
  const rule = arn("events", "rule/reaper-schedule-1");
  const secret = arn("secretsmanager", "secret:oneoff-1");
  const things = {
    [arn("lambda", "function:reaper-1")]: { type: "AWS::Lambda::Function", id: "reaper-1", there: true },
    [rule]: { type: "AWS::Events::Rule", id: rule, there: true },
    [arn("logs", "log-group:reaper-logs-1")]: { type: "AWS::Logs::LogGroup", id: "reaper-logs-1", there: true },
    [arn("glue", "database/oneoff_emr_oneoff_lake_0a1b2c3d")]: {
      type: "AWS::Glue::Database",
      id: "oneoff_emr_oneoff_lake_0a1b2c3d",
      there: true,
    },
    [secret]: { type: "AWS::SecretsManager::Secret", id: secret, there: true },
    [arn("kms", "key/1234")]: { type: "AWS::KMS::Key", id: "1234", there: true },
    [arn("lambda", "function:launcher-gone")]: { type: "AWS::Lambda::Function", id: "launcher-gone", there: false },
  };
  controls(things);
  const { code, output } = await stack.oneoff("leftovers", STACK);
  expect(code).toBe(1);
  expect(kinds(output)).toEqual([
    "Lambda function",
    "EventBridge rule",
    "secret",
    "Glue database",
    "log group",
    "KMS key",
  ]);
  expect(await stack.oneoff("leftovers", STACK, "--delete", "--yes")).toMatchObject({ code: 0 });
  const deleted = front.asked
    .filter(({ operation }) => operation === "DeleteResource")
    .map(({ input }) => input.Identifier);
  expect(deleted.at(-1)).toBe("1234"); // what others are encrypted with goes last
  expect(deleted).toHaveLength(6);
}, 60_000);

test("what can't be removed is said, and fails the command", async () => {
  controls({
    [arn("lambda", "function:stuck")]: { type: "AWS::Lambda::Function", id: "stuck", there: true },
    [arn("dynamodb", "table/odd")]: { type: "-", id: "-", there: true },
    [arn("lambda", "function:reaper-1")]: { type: "AWS::Lambda::Function", id: "reaper-1", there: true },
  });
  const { code, output } = await stack.oneoff("leftovers", STACK, "--delete", "--yes");
  expect(code).toBe(1);
  expect(output).toContain("Lambda function stuck can't be removed: It is in use\n");
  expect(output).toContain(
    `dynamodb table ${arn("dynamodb", "table/odd")} can't be removed: this command can't do it: remove it in the console of dynamodb\n`,
  );
  expect(output).toContain("Lambda function reaper-1 is removed.\n");
  expect(output).toMatch(/\n2 could not be removed\.\n$/);
}, 60_000);

test("a database of Glue is found by its name, where it isn't listed by its tag", async () => {
  const athena = new AthenaClient({});
  const id = "oneoff_emr_oneoff_lake_0a1b2c3d";
  for (const name of [id, "oneoff_emr_oneoff_large_lake_0a1b2c3d", "default"]) {
    await athena.send(
      new StartQueryExecutionCommand({
        QueryString: `CREATE DATABASE ${name}`,
        ResultConfiguration: { OutputLocation: "s3://results/" },
      }),
    );
  }
  const large = await stack.oneoff("leftovers", STACK);
  const cure = `aws glue delete-database --name ${id} --region us-west-2`;
  expect(large.output).toContain(
    `Glue database               ${id}  may be another stack's: its name alone tells; if it is yours: ${cure}\n`,
  );
  // The other stack is known by nothing here but what it has in the account.
  await new SSMClient({}).send(
    new PutParameterCommand({ Name: "/large", Value: "v", Type: "String", Tags: tags("oneoff/emr-oneoff-large") }),
  );
  controls({ [arn("glue", `database/${id}`)]: { type: "AWS::Glue::Database", id, there: true } });
  expect(kinds((await stack.oneoff("leftovers", STACK)).output)).toEqual(["Glue database"]);
}, 60_000);

test("of another stack whose names begin alike nothing is removed, and what may be its is told of and stays", async () => {
  const TWIN = "oneoff-emr/oneoff";
  await make(OWN);
  const emr = new EMRClient({});
  const named = (key: string) => JSON.stringify({ AwsKmsKey: key, S3Object: "s3://somewhere/certificate.zip" });
  const digits = { theirs: "1111aaaa", lost: "2222bbbb", mine: "3333cccc" };
  const keys = { theirs: arn("kms", "key/theirs"), lost: arn("kms", "key/lost"), mine: arn("kms", "key/mine") };
  for (const whose of ["theirs", "lost", "mine"] as const) {
    const Name = `oneoff-emr-oneoff-cluster-${digits[whose]}`;
    await emr.send(new CreateSecurityConfigurationCommand({ Name, SecurityConfiguration: named(keys[whose]) }));
  }
  const athena = new AthenaClient({});
  for (const whose of ["theirs", "lost"] as const) {
    const QueryString = `CREATE DATABASE oneoff_emr_oneoff_lake_${digits[whose]}`;
    await athena.send(
      new StartQueryExecutionCommand({ QueryString, ResultConfiguration: { OutputLocation: "s3://results/" } }),
    );
  }
  // What one of them has beside a database has the same digits.
  await athena.send(new CreateWorkGroupCommand({ Name: "oneoff-emr-oneoff-lake-1111aaaa", Tags: tags(TWIN) }));
  front.amend("GetResources", (answer) => ({
    ...answer,
    ResourceTagMappingList: [
      ...(answer.ResourceTagMappingList as readonly object[]),
      { ResourceARN: keys.theirs, Tags: tags(TWIN) },
      { ResourceARN: keys.mine, Tags: tags("oneoff/emr-oneoff", { "oneoff:lake": "oneoff-emr-oneoff-lake-0a1b2c3d" }) },
    ],
  }));
  front.answer("GetResource", () => new Refusal("ResourceNotFoundException")); // the keys are gone but for their tags

  const lake = ["--lake", "oneoff-emr-oneoff-lake-0a1b2c3d"];
  const { code, output } = await stack.oneoff("leftovers", STACK, "--delete", "--yes", ...lake);
  expect(output).not.toContain("can't be removed");
  expect(output).toMatch(/\nNothing else is left of stack emr-oneoff\.\n$/);
  expect(code).toBe(1);
  const unsure = output.split("\n").filter((line) => line.includes("may be another stack's"));
  expect(unsure.map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
    ["Glue database", "oneoff_emr_oneoff_lake_2222bbbb"],
    ["EMR security configuration", "oneoff-emr-oneoff-cluster-2222bbbb"],
  ]);
  const { SecurityConfigurations = [] } = await emr.send(new ListSecurityConfigurationsCommand({}));
  expect(SecurityConfigurations.map(({ Name }) => Name)).toEqual([
    "oneoff-emr-oneoff-cluster-1111aaaa",
    "oneoff-emr-oneoff-cluster-2222bbbb",
  ]);
}, 120_000);

test("nothing is removed unless the answer is yes", async () => {
  await new SSMClient({}).send(new PutParameterCommand({ Name: "/a", Value: "v", Type: "String", Tags: tags(OWN) }));
  const kept = await typed(stack, ["leftovers", STACK, "--delete"], "\n");
  expect(kept.output).toContain("Remove it, with all data in it? (y/N)");
  expect(kept.output).not.toContain("is removed");
  expect(kept.code).toBe(8);
  const removed = await typed(stack, ["leftovers", STACK, "--delete"], "y\n");
  expect(removed.output).toContain("SSM parameter a is removed.");
  expect(removed.code).toBe(0);
}, 60_000);

test("ARNs of all shapes are understood", () => {
  const parsed = ["arn:aws:s3:::bucket", arn("lambda", "function:f"), arn("ssm", "parameter/a/b"), arn("sns", "topic")];
  expect(parsed.map(parseArn).map(({ service, type, name }) => [service, type, name])).toEqual([
    ["s3", "", "bucket"],
    ["lambda", "function", "f"],
    ["ssm", "parameter", "a/b"],
    ["sns", "", "topic"],
  ]);
});

test("a cluster under termination protection is ended too", async () => {
  const emr = new EMRClient({});
  const flow = {
    Name: "c",
    Instances: { KeepJobFlowAliveWhenNoSteps: true, TerminationProtected: true },
    Tags: tags(OWN),
  };
  const { JobFlowId } = await emr.send(new RunJobFlowCommand(flow));
  expect(await stack.oneoff("leftovers", STACK, "--delete", "--yes")).toMatchObject({ code: 0 });
  const { Cluster } = await emr.send(new DescribeClusterCommand({ ClusterId: JobFlowId }));
  expect(Cluster?.Status?.State).toBe("TERMINATED");
}, 60_000);
