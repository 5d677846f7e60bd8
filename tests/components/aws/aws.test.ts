import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { catalogEntry } from "../../../components/aws/catalog.ts";
import { securityConfiguration } from "../../../components/aws/emr/security.ts";
import {
  AthenaDashboard,
  EmrCluster,
  type EmrClusterArgs,
  Network,
  Reaper,
  S3Lake,
  type S3LakeArgs,
  type Subnets,
} from "../../../components/aws/index.ts";
import { ceiling } from "../../../core/bill.ts";
import { type Job, job } from "../../../core/job.ts";
import type { Table } from "../../../core/table.ts";
import { PAGE } from "../../assets/dashboard/page-files.ts";
import { fakeAws } from "../../stacks/fake-aws.ts";
import { isSecret, type Registered, record, result, settle } from "../mocks.ts";

process.env.AWS_REGION = "us-west-2";

let resources: Registered[];
beforeAll(() => {
  resources = record(fakeAws).resources;
});
afterEach(() => {
  resources.length = 0;
});

const small = xo({ rows: 100 });
const lifetime = { deadline: "90 minutes" } as const;
const workers = { count: 2 } as const;
const subnets: Subnets = { vpcId: "vpc-1", subnetIds: ["subnet-1", "subnet-2"] };
const ours = () => resources.filter((resource) => resource.custom);
const named = (name: string) => {
  const found = resources.filter((resource) => resource.name === name);
  expect(
    found.map(({ name }) => name),
    name,
  ).toEqual([name]);
  return found[0]?.inputs ?? {};
};
const statements = (name: string): Record<string, unknown>[] => JSON.parse(named(name).policy as string).Statement;

/** A cluster with its surroundings; what it asks EMR for. */
async function request(args: Partial<EmrClusterArgs> = {}, given: Job = small) {
  await settle(() => {
    const reaper = new Reaper("reaper");
    const network = args.network ?? new Network("network");
    const lake = new S3Lake("lake", { job: given, bucket: "the-lake" });
    return new EmrCluster("cluster", { job: given, lake, reaper, network, lifetime, workers, ...args });
  });
  const launch = JSON.parse(named("cluster-run").input as string);
  expect(named("cluster-run").lifecycleScope).toBe("CREATE_ONLY");
  expect(named("cluster-guard").lifecycleScope).toBe("CRUD");
  expect(JSON.parse(named("cluster-guard").input as string)).toEqual({
    stack: "oneoff/test",
    cluster: "cluster",
    bucket: "the-lake",
  });
  return { launch, flow: launch.request };
}
const submit = (flow: { Steps: { HadoopJarStep: { Args: string[] } }[] }, step: number) => {
  const args = flow.Steps[step]?.HadoopJarStep.Args ?? [];
  return args.slice(args.indexOf("--") + 1);
};

describe("what EMR is asked for", () => {
  test("the defaults: two Graviton workers, a step per Spark job, an end after the last step", async () => {
    const { launch, flow } = await request();
    expect(launch).toMatchObject({
      stack: "oneoff/test",
      cluster: "cluster",
      run: "1",
      bucket: "the-lake",
      architecture: "arm64",
      packageIndex: "https://pypi.org/simple",
      deadlineSeconds: 5400,
    });
    expect(launch.wheels).toHaveLength(2);
    expect(flow).toMatchObject({
      Name: "oneoff-test-cluster-1",
      ReleaseLabel: "emr-7.10.0",
      LogUri: "s3://the-lake/_logs/emr/",
      Applications: [{ Name: "Hadoop" }, { Name: "Spark" }],
    });
    expect(flow.AutoTerminationPolicy).toBeUndefined();
    expect(flow.Instances).toMatchObject({ KeepJobFlowAliveWhenNoSteps: false, TerminationProtected: false });
    expect(flow.Instances.Ec2SubnetIds).toHaveLength(2);
    expect(flow.Instances.ServiceAccessSecurityGroup).toBeUndefined();
    expect(flow.Instances.Ec2KeyName).toBeUndefined();
    const [primary, core] = flow.Instances.InstanceFleets;
    expect(primary).toMatchObject({ InstanceFleetType: "MASTER", TargetOnDemandCapacity: 1 });
    expect(core).toMatchObject({ InstanceFleetType: "CORE", TargetOnDemandCapacity: 2 });
    expect(core.TargetSpotCapacity).toBeUndefined();
    expect(core.InstanceTypeConfigs.map((type: { InstanceType: string }) => type.InstanceType)).toEqual([
      "m7g.xlarge",
      "m6g.xlarge",
    ]);
    expect(Object.fromEntries(flow.Tags.map((tag: { Key: string; Value: string }) => [tag.Key, tag.Value]))).toEqual({
      "oneoff:stack": "oneoff/test",
      "oneoff:cluster": "cluster",
      "oneoff:run": "1",
      "oneoff:deadline": "90 minutes",
      Name: "oneoff-test-cluster-1",
      "oneoff:lake": "the-lake",
      "for-use-with-amazon-emr-managed-policies": "true",
    });
  });

  test("a step runs spark-submit through the runner, in the virtual environment of its wheels", async () => {
    const { flow } = await request();
    expect(flow.Steps.map(({ Name, ActionOnFailure }: Record<string, string>) => [Name, ActionOnFailure])).toEqual([
      ["generate", "TERMINATE_CLUSTER"],
      ["train", "TERMINATE_CLUSTER"],
    ]);
    const { Jar, Args } = flow.Steps[1].HadoopJarStep;
    expect(Jar).toBe("command-runner.jar");
    expect(Args.slice(0, Args.indexOf("--")).join(" ")).toBe(
      "env AWS_REGION=us-west-2 /opt/oneoff/venv/recorder/bin/python /opt/oneoff/code/emr/step.py --lake s3://the-lake --run 1 --step train" +
        " --deadline {deadline} --time-limit 1800",
    );
    const spark = submit(flow, 1).join(" ");
    expect(spark).toContain("spark-submit --master yarn --deploy-mode client");
    expect(spark).toContain("--conf spark.pyspark.python=/opt/oneoff/venv/step-generate/bin/python");
    expect(spark).toContain("--py-files /opt/oneoff/code/steps/train/oneoff.py /opt/oneoff/code/steps/train/train.py");
    expect(spark).toContain("--points s3://the-lake/points/run=1 --models s3://the-lake/models/run=1");
    expect(spark).not.toMatch(/executor\.instances|\{/);
  });

  test("executors, driver, disk, release and transform reach it", async () => {
    const { flow } = await request({
      executors: { count: 29, cores: 4, memory: "4 GB" },
      driverMemory: "2 GB",
      disk: "128 GB",
      releaseLabel: "emr-7.12.0",
      transform: { jobFlow: { StepConcurrencyLevel: 2 } },
    });
    expect(submit(flow, 0).join(" ")).toContain(
      "--conf spark.dynamicAllocation.enabled=false --conf spark.executor.instances=29 --conf spark.executor.cores=4 --conf spark.executor.memory=4096m --conf spark.driver.memory=2048m",
    );
    const volumes = flow.Instances.InstanceFleets[1].InstanceTypeConfigs[0].EbsConfiguration.EbsBlockDeviceConfigs;
    expect(volumes).toEqual([{ VolumeSpecification: { VolumeType: "gp3", SizeInGB: 128 }, VolumesPerInstance: 1 }]);
    expect(flow).toMatchObject({ ReleaseLabel: "emr-7.12.0", StepConcurrencyLevel: 2 });
  });

  test("spot workers say what happens without them", async () => {
    const { flow } = await request({ workers: { count: 3, spot: { fallback: "on-demand" } } });
    const [primary, core] = flow.Instances.InstanceFleets;
    expect(primary.TargetOnDemandCapacity).toBe(1);
    expect(core.TargetSpotCapacity).toBe(3);
    expect(core.TargetOnDemandCapacity).toBeUndefined();
    expect(core.LaunchSpecifications.SpotSpecification).toEqual({
      AllocationStrategy: "price-capacity-optimized",
      TimeoutDurationMinutes: 10,
      TimeoutAction: "SWITCH_TO_ON_DEMAND",
    });
    resources.length = 0;
    const strict = await request({ workers: { count: 1, spot: { fallback: "terminate", wait: "30 minutes" } } });
    expect(strict.flow.Instances.InstanceFleets[1].LaunchSpecifications.SpotSpecification).toMatchObject({
      TimeoutDurationMinutes: 30,
      TimeoutAction: "TERMINATE_CLUSTER",
    });
  });

  test("a cluster that lingers waits after a failure, for so long", async () => {
    const { flow } = await request({ linger: "10 minutes" });
    expect(flow.AutoTerminationPolicy).toEqual({ IdleTimeout: 600 });
    expect(flow.Instances.KeepJobFlowAliveWhenNoSteps).toBe(true);
    expect(flow.Steps[0].ActionOnFailure).toBe("CANCEL_AND_WAIT");
    expect(flow.BootstrapActions[0].ScriptBootstrapAction.Args).not.toContain("--jupyter");
  });

  test("one that is kept alive has JupyterLab and an idle limit", async () => {
    const { launch, flow } = await request({ keepAlive: true, lifetime: { ...lifetime, idle: "30 minutes" } });
    expect(flow.AutoTerminationPolicy).toEqual({ IdleTimeout: 1800 });
    expect(launch.wheels).toHaveLength(3);
    const args: string[] = flow.BootstrapActions[0].ScriptBootstrapAction.Args;
    expect(args.slice(0, 2)).toEqual(["--jupyter", "1"]);
    expect(args.slice(3).map((arg) => arg.split("=")[0])).toEqual(["recorder", "jupyter", "step-generate"]);
  });

  test("private subnets of the user's get the service's group, and the role may use them", async () => {
    const { flow } = await request({ network: { ...subnets, isPrivate: true } });
    expect(flow.Instances.ServiceAccessSecurityGroup).toBe("cluster-service-group-id");
    expect(flow.Instances.Ec2SubnetIds).toEqual(["subnet-1", "subnet-2"]);
    expect(statements("cluster-service-policy").at(-1)).toMatchObject({
      Resource: ["arn:aws:ec2:*:*:subnet/subnet-1", "arn:aws:ec2:*:*:subnet/subnet-2"],
    });
    expect(named("cluster-primary-to-service")).toMatchObject({ fromPort: 9443, toPort: 9443 });
    expect(named("cluster-service-to-workers")).toMatchObject({ fromPort: 8443, toPort: 8443 });
  });

  test("SSH only from where it is said, and else no rule lets anybody in", async () => {
    await request();
    expect(ours().filter(({ type }) => type.endsWith("SecurityGroupIngressRule"))).toEqual([]);
    resources.length = 0;
    const { flow } = await request({ ssh: { keyName: "me", cidr: "203.0.113.7/32" } });
    expect(flow.Instances.Ec2KeyName).toBe("me");
    expect(ours().filter(({ type }) => type.endsWith("SecurityGroupIngressRule"))).toHaveLength(1);
    expect(named("cluster-ssh")).toMatchObject({ cidrIpv4: "203.0.113.7/32", fromPort: 22, toPort: 22 });
  });

  test("steps read elsewhere only what is named", async () => {
    await request({ reads: ["s3://books/novels/", "s3://all"] });
    const read = statements("cluster-nodes-policy").flatMap(({ Resource }) => Resource as string[]);
    expect(read.filter((arn) => /:::(books|all)/.test(arn))).toEqual([
      ...["arn:aws:s3:::books", "arn:aws:s3:::books/novels", "arn:aws:s3:::books/novels/*"],
      ...["arn:aws:s3:::all", "arn:aws:s3:::all/*"],
    ]);
  });

  test("steps read what the job says, beside what the cluster does, and each once", async () => {
    const reading = { ...small, reads: ["s3://books/novels", "s3://books/novels/1984", "s3://maps/of the world"] };
    await request({ reads: ["s3://all", "s3://books/novels/"], job: undefined }, reading);
    const read = statements("cluster-nodes-policy").flatMap(({ Resource }) => Resource as string[]);
    expect(read.filter((arn) => /:::(books|all|maps)/.test(arn))).toEqual([
      ...["arn:aws:s3:::all", "arn:aws:s3:::all/*"],
      ...["arn:aws:s3:::books", "arn:aws:s3:::books/novels", "arn:aws:s3:::books/novels/*"],
      ...["arn:aws:s3:::maps", "arn:aws:s3:::maps/of the world", "arn:aws:s3:::maps/of the world/*"],
    ]);
  });

  test("machines see requests to cancel, and make none; so does the reaper, in this lake alone", async () => {
    await request();
    const objects = (name: string, action: string) =>
      statements(name)
        .filter(({ Action }) => (Action as string[]).includes(action))
        .flatMap(({ Resource }) => Resource as string[]);
    expect(objects("cluster-nodes-policy", "s3:GetObject")).toContain("arn:aws:s3:::the-lake/_cancels/*");
    expect(objects("cluster-nodes-policy", "s3:PutObject").join()).not.toContain("_cancels");
    expect(objects("cluster-reaper-policy", "s3:GetObject")).toEqual([
      "arn:aws:s3:::the-lake/_cancels",
      "arn:aws:s3:::the-lake/_cancels/*",
    ]);
    expect(statements("cluster-reaper-policy").flatMap(({ Action }) => Action)).not.toContain("s3:PutObject");
  });

  test("there is a policy for who may cancel where that is wanted, below the stack's path, and nobody has it", async () => {
    await request();
    const policies = () => ours().filter(({ type }) => type === "aws:iam/policy:Policy");
    expect(policies()).toEqual([]);
    resources.length = 0;
    await request({ cancelPolicy: true });
    expect(policies().map(({ name, inputs }) => [name, inputs.path, inputs.tags])).toEqual([
      ["cluster-cancel-policy", "/oneoff/oneoff/test/", { "oneoff:stack": "oneoff/test" }],
    ]);
    expect(ours().filter(({ inputs }) => "policyArn" in inputs)).toHaveLength(1); // AWS's own, of EMR's role
  });

  test("only who rents spot instances may make their role", async () => {
    await request();
    const roles = () => statements("cluster-service-policy").filter(({ Action }) => /LinkedRole/.test(String(Action)));
    expect(roles()).toEqual([]);
    resources.length = 0;
    await request({ workers: { count: 1, spot: { fallback: "terminate" } } });
    expect(roles()).toHaveLength(1);
  });

  test("the network stays until the cluster has ended, and EMR may put nothing into the VPC", async () => {
    await request();
    expect(named("network-vpc").tags).not.toHaveProperty("for-use-with-amazon-emr-managed-policies");
    expect(named("network-subnet-1").tags).toHaveProperty("for-use-with-amazon-emr-managed-policies", "true");
  });

  test("steps can write to HDFS, from where it is taken to the lake", async () => {
    const { flow } = await request({ stage: "hdfs" });
    expect(flow.Steps[0].HadoopJarStep.Args.join(" ")).toContain("--stage hdfs:///oneoff/1");
    expect(submit(flow, 0).join(" ")).toContain("--points hdfs:///oneoff/1/points");
  });

  test("what steps keep for each other is removed by the run, else by the bucket", async () => {
    const shuffling = job({
      name: "shuffling",
      from: import.meta.url,
      steps: [
        { name: "write", script: "../step.py", arguments: ["--csv", "{scratch}/csv"] },
        { name: "read", script: "../step.py" },
      ],
      tables: small.tables,
    });
    const { flow } = await request({ stage: "hdfs" }, shuffling);
    for (const step of flow.Steps) {
      expect(step.HadoopJarStep.Args.join(" ")).toContain("--scratch s3://the-lake/_scratch/1 -");
    }
    expect(submit(flow, 0).slice(-2)).toEqual(["--csv", "s3://the-lake/_scratch/1/csv"]);
    expect(named("lake-expiry").rules).toContainEqual({
      ...{ id: "_scratch", status: "Enabled" },
      ...{ filter: { prefix: "_scratch/" }, expiration: { days: 7 } },
    });
  });

  test("a secret is kept as a secret, and only its address is passed on", async () => {
    const secretive = job({
      name: "secretive",
      from: import.meta.url,
      steps: [{ name: "read", script: "../step.py", secrets: ["token"], arguments: ["--token", "{secret:token}"] }],
      tables: [{ name: "t", about: "T", columns: [{ name: "x", type: "double" }] }],
    });
    const { launch, flow } = await request({ secrets: { token: "hush" } }, secretive);
    expect(JSON.stringify(launch)).not.toContain("hush");
    expect(flow.Steps[0].HadoopJarStep.Args.join(" ")).toMatch(/--secret token=arn:aws:secretsmanager:\S+ --/);
    expect(submit(flow, 0).slice(-2)).toEqual(["--token", "/dev/shm/oneoff-token"]);
    expect(isSecret(named("cluster-secret-token-value").secretString)).toBe(true);
    expect(named("cluster-secret-token").recoveryWindowInDays).toBe(0);
    expect(statements("cluster-nodes-policy").flatMap(({ Action }) => Action)).toContain(
      "secretsmanager:GetSecretValue",
    );
  });

  test("the certificate and its key are secret, and encryption is on everywhere", async () => {
    await request();
    expect(isSecret(named("cluster-certificate").contentBase64)).toBe(true);
    const text = securityConfiguration({ certificate: "s3://b/c.zip", diskKey: "arn:key" });
    expect(named("cluster-security").configuration).toContain('"EnableEbsEncryption":true');
    expect(JSON.parse(text)).toMatchObject({
      EncryptionConfiguration: {
        EnableInTransitEncryption: true,
        InTransitEncryptionConfiguration: { TLSCertificateConfiguration: { S3Object: "s3://b/c.zip" } },
        AtRestEncryptionConfiguration: { LocalDiskEncryptionConfiguration: { AwsKmsKey: "arn:key" } },
      },
      InstanceMetadataServiceConfiguration: { MinimumInstanceMetadataServiceVersion: 2 },
    });
  });

  test("the machines may write the job's tables, logs and records, and nothing else of the lake", async () => {
    await request();
    const writes = statements("cluster-nodes-policy").find(({ Action }) =>
      (Action as string[]).includes("s3:PutObject"),
    );
    const deletes = statements("cluster-nodes-policy").filter(({ Action }) => /Delete/.test(String(Action)));
    expect(deletes.map(({ Resource }) => Resource)).toEqual([
      ["points", "models", "surface", "optimum", "_scratch"].map((prefix) => `arn:aws:s3:::the-lake/${prefix}/*`),
    ]);
    expect(writes?.Resource).toEqual(
      ["points", "models", "surface", "optimum", "_runs", "_logs", "_scratch", "_jupyter"].map(
        (p) => `arn:aws:s3:::the-lake/${p}/*`,
      ),
    );
  });
});

describe("what is refused, before anything is made", () => {
  const cluster = (args: Partial<EmrClusterArgs>) => () =>
    new EmrCluster("refused", {
      ...{ job: small, lake: { job: small } as S3Lake, reaper: {} as Reaper, network: subnets, lifetime, workers },
      ...args,
    });
  const lake = (args: Partial<S3LakeArgs>) => () => new S3Lake("refused", { job: small, ...args });
  const dashboard = (args: object) => () =>
    new AthenaDashboard("refused", {
      ...{ job: small, lake: { job: small } as S3Lake, reaper: {} as Reaper, network: subnets },
      ...args,
    });
  const other = { ...small, name: "other" };
  const fewer = { ...small, panels: small.panels.slice(1) };
  const changed = { ...small, panels: small.panels.map((panel) => ({ ...panel, title: "Other" })) };
  // As it is where none of it was looked at by `job`.
  const partitioned = (partitionValues?: Table["partitionValues"]): Job => {
    const columns = [
      { name: "month", type: "string" },
      { name: "x", type: "double" },
    ] as const;
    return { ...small, tables: [{ name: "t", about: "T", columns, partitions: ["month"], partitionValues }] };
  };

  test.each<[string, () => unknown, string]>([
    ["0 workers", cluster({ workers: { count: 0 } }), "workers.count is 0: expected a whole number above zero"],
    ["no types", cluster({ workers: { count: 1, types: [] } }), "workers.types has 0 types: EMR takes 1 to 5"],
    [
      "spot without fallback",
      cluster({ workers: { count: 1, spot: {} as never } }),
      'workers.spot.fallback is undefined: say what is to happen when there are no spot instances: "on-demand" or "terminate"',
    ],
    [
      "an impatient spot request",
      cluster({ workers: { count: 1, spot: { fallback: "terminate", wait: "1 minute" } } }),
      'workers.spot.wait is "1 minute": EMR takes whole minutes from "5 minutes" to "1 day"',
    ],
    [
      "mixed architectures",
      cluster({ workers: { count: 1, types: ["m7g.xlarge", "m6i.xlarge"] } }),
      'primary is "m6g.xlarge" (arm64) and workers.types has "m6i.xlarge" (x86_64)',
    ],
    ["an unknown type", cluster({ primary: "m99.xlarge" }), 'instance type is "m99.xlarge": its price is not known'],
    ["a type too small", cluster({ primary: "t4g.xlarge" }), 'instance type is "t4g.xlarge": EMR does not offer it'],
    ["an unknown region", cluster({ region: "mars-1" }), 'region is "mars-1": its prices are not known'],
    [
      "the world by SSH",
      cluster({ ssh: { keyName: "me", cidr: "0.0.0.0/0" } }),
      'ssh.cidr is "0.0.0.0/0": that is the world; give your own address, such as "203.0.113.7/32"',
    ],
    [
      "no CIDR",
      cluster({ ssh: { keyName: "me", cidr: "::/0" } }),
      'ssh.cidr is "::/0": expected a block of IPv4 addresses',
    ],
    ["no key", cluster({ ssh: { keyName: "", cidr: "203.0.113.7/32" } }), "ssh has no keyName: name an EC2 key pair"],
    [
      "a deadline too short",
      cluster({ lifetime: { deadline: "5 minutes" } }),
      'deadline is "5 minutes" (5 min): expected something from "20 minutes" to "7 days"',
    ],
    [
      "a deadline too long",
      cluster({ lifetime: { deadline: "8 days" } }),
      'deadline is "8 days" (8 d): expected something',
    ],
    ["keepAlive without idle", cluster({ keepAlive: true }), "keepAlive needs lifetime.idle"],
    [
      "idle without keepAlive",
      cluster({ lifetime: { ...lifetime, idle: "1 hour" } }),
      'lifetime.idle is "1 hour" and keepAlive is not set',
    ],
    ["keepAlive and linger", cluster({ keepAlive: true, linger: "1 hour" }), "keepAlive and linger don't go together"],
    ["linger too short", cluster({ linger: "30 seconds" }), 'linger is "30 seconds": EMR takes "1 minute" to "7 days"'],
    [
      "a low maxCost",
      cluster({ lifetime: { ...lifetime, maxCost: 0.5 } }),
      "maxCost is 0.5 USD and this can cost up to",
    ],
    [
      "a maxCost of nothing",
      cluster({ lifetime: { ...lifetime, maxCost: 0 } }),
      "maxCost is 0: expected USD above zero",
    ],
    [
      "subnets without a VPC",
      cluster({ network: { vpcId: "", subnetIds: ["subnet-1"] } }),
      "network has subnetIds and no vpcId",
    ],
    [
      "a VPC without subnets",
      cluster({ network: { vpcId: "vpc-1", subnetIds: [] } }),
      "network has a vpcId and no subnetIds",
    ],
    [
      "an old release",
      cluster({ releaseLabel: "emr-5.7.0" }),
      'releaseLabel is "emr-5.7.0": expected "emr-7.0.0" or newer',
    ],
    ["no release", cluster({ releaseLabel: "7.1" }), 'releaseLabel is "7.1": expected "emr-7.0.0" or newer'],
    ["a run id", cluster({ runId: "a/b" }), 'runId is "a/b": expected 1 to 63 letters'],
    ["a stage", cluster({ stage: "tape" as never }), 'stage is "tape": expected "lake" or "hdfs"'],
    ["a disk", cluster({ disk: "1 GB" }), 'disk is "1 GB": expected whole gigabytes, "16 GB" to "16 TB"'],
    ["executors", cluster({ executors: { count: 0, cores: 1, memory: "1 GB" } }), "executors.count is 0: expected"],
    ["a bucket name", lake({ bucket: "My_Bucket" }), 'bucket is "My_Bucket": expected 3 to 63 lower-case letters'],
    ["a dotted bucket", lake({ bucket: "my.bucket" }), 'bucket is "my.bucket": expected'],
    ["half days", lake({ keepLogs: "12 hours" }), 'keepLogs is "12 hours": S3 counts in whole days'],
    ["a tiny limit", lake({ queryLimit: "1 MB" }), 'queryLimit is "1 MB": Athena takes no less than "10 MB"'],
    ["removal", lake({ removal: "keep" as never }), 'removal is "keep": expected "delete" or "retain"'],
    ["partitions without values", lake({ job: partitioned() }), 'table "t", partition "month" has no partitionValues'],
    [
      "a range of no months",
      lake({ job: partitioned({ month: { from: "2012-13", to: "2013-01" } }) }),
      'from "2012-13" to "2013-01" is no range of months',
    ],
    [
      "months of type date",
      lake({ job: partitioned({ month: { from: 1, to: 12 } }) }),
      'table "t", partition "month" is of type "string", which its partitionValues are not',
    ],
    ["another job", cluster({ job: other }), 'job is "other" and lake is of job "xo": leave job out, which takes'],
    ["fewer panels", cluster({ job: fewer }), 'job is "xo" and lake is of a job of that name that has a panel'],
    ["a dashboard of another job", dashboard({ job: other }), 'job is "other" and lake is of job "xo": leave job out'],
    ["a dashboard's changed panel", dashboard({ job: changed }), "is another: leave job out, which takes the lake's"],
    [
      "a job that reads a path",
      cluster({ job: { ...small, reads: ["s3://books", "/data/books"] } }),
      'job.reads has "/data/books", and EMR\'s machines can be let read nothing but S3: copy it there and give that address',
    ],
    ["a job that reads Google's", cluster({ job: { ...small, reads: ["gs://books"] } }), 'job.reads has "gs://books"'],
    ["reads", cluster({ reads: ["books"] }), 'reads has "books": expected a bucket or what is below it'],
    ["no values", lake({ job: partitioned({ month: { values: [] } }) }), "values is empty: give at least one"],
    ["a comma", lake({ job: partitioned({ month: { values: ["a,b"] } }) }), 'value "a,b" can\'t be listed'],
    ["a dashboard for ever", dashboard({ lifetime: { deadline: "91 days" } }), 'deadline is "91 days"'],
    ["a dashboard's type", dashboard({ instanceType: "x.huge" }), 'instance type is "x.huge": its price is not known'],
    ["a dashboard's cost", dashboard({ lifetime: { deadline: "7 days", maxCost: 1 } }), "maxCost is 1 USD"],
    [
      "an odd network",
      () => new Network("refused", { cidr: "10.0.0.1/20" }),
      'cidr is "10.0.0.1/20": expected a block',
    ],
    ["a vast network", () => new Network("refused", { cidr: "10.0.0.0/8" }), 'cidr is "10.0.0.0/8": expected a block'],
  ])("%s", async (_, make, message) => {
    let error: Error | undefined;
    await settle(() => {
      try {
        make();
      } catch (thrown) {
        error = thrown as Error;
      }
    });
    expect(error?.name).toBe("UsageError");
    expect(error?.message).toContain(message);
    expect(ours()).toEqual([]);
  });

  test("no region", () => {
    delete process.env.AWS_REGION;
    const before = process.env.AWS_DEFAULT_REGION;
    delete process.env.AWS_DEFAULT_REGION;
    try {
      expect(cluster({})).toThrow("there is no region: pulumi config set aws:region us-west-2, or set AWS_REGION");
    } finally {
      process.env.AWS_REGION = "us-west-2";
      if (before) process.env.AWS_DEFAULT_REGION = before;
    }
  });
});

test("cluster and dashboard take the lake's job, or a copy of it, and a dashboard may show fewer panels", async () => {
  const copied = await request({ job: structuredClone(small) });
  resources.length = 0;
  expect((await request({ job: undefined })).flow.Steps).toEqual(copied.flow.Steps);
  const shown = async (args: object) => {
    resources.length = 0;
    await settle(() => {
      const lake = new S3Lake("lake", { job: small, bucket: "the-lake" });
      new AthenaDashboard("board", { lake, reaper: new Reaper("reaper"), network: subnets, ...args });
    });
    return JSON.parse(named("board-config").content as string).job.panels;
  };
  expect(await shown({})).toEqual(small.panels);
  expect(await shown({ job: structuredClone(small) })).toEqual(small.panels);
  expect(await shown({ job: { ...small, panels: small.panels.slice(1) } })).toEqual(small.panels.slice(1));
});

describe("the lake", () => {
  test("retaining leaves the bucket and what closes it, and says so", async () => {
    await settle(() => new S3Lake("kept", { job: small, removal: "retain" }));
    expect(named("kept-bucket")).toMatchObject({ forceDestroy: false, tags: { "oneoff:removal": "retain" } });
    expect(named("kept-workgroup").forceDestroy).toBe(true);
  });

  test("a table's partitions are worked out from their values", () => {
    const entry = catalogEntry({
      name: "readings",
      about: "R",
      columns: [
        { name: "kwh", type: "double", unit: "kWh" },
        { name: "price", type: "decimal", precision: 18, scale: 2 },
        { name: "month", type: "string" },
        { name: "hour", type: "integer" },
        { name: "tariff", type: "string" },
      ],
      partitions: ["month", "hour", "tariff"],
      partitionValues: {
        month: { from: "2011-11", to: "2014-02" },
        hour: { from: 0, to: 23, digits: 2 },
        tariff: { values: ["Std", "ToU"] },
      },
    });
    expect(entry.columns).toEqual([
      { name: "kwh", type: "double", comment: "kWh" },
      { name: "price", type: "decimal(18,2)" },
    ]);
    expect(entry.partitionKeys).toEqual([
      { name: "run", type: "string" },
      { name: "month", type: "string" },
      { name: "hour", type: "bigint" },
      { name: "tariff", type: "string" },
    ]);
    expect(entry.parameters("s3://b/readings")).toEqual({
      EXTERNAL: "TRUE",
      classification: "parquet",
      "projection.enabled": "true",
      "projection.run.type": "injected",
      "projection.month.type": "date",
      "projection.month.range": "2011-11,2014-02",
      "projection.month.format": "yyyy-MM",
      "projection.month.interval": "1",
      "projection.month.interval.unit": "MONTHS",
      "projection.hour.type": "integer",
      "projection.hour.range": "0,23",
      "projection.hour.digits": "2",
      "projection.tariff.type": "enum",
      "projection.tariff.values": "Std,ToU",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Athena's own placeholders
      "storage.location.template": "s3://b/readings/run=${run}/month=${month}/hour=${hour}/tariff=${tariff}/",
    });
  });

  test("a grant is one policy with what it says", async () => {
    await settle(() => {
      const lake = new S3Lake("lake", { job: small, bucket: "the-lake" });
      const role = { name: "someone" } as never;
      lake.grantRead("reader", role, "points");
      lake.grantWrite("writer", role, "points");
      lake.grantQuery("asker", role);
    });
    expect(statements("reader").map(({ Resource }) => Resource)).toEqual([
      "arn:aws:s3:::the-lake",
      ["arn:aws:s3:::the-lake/points", "arn:aws:s3:::the-lake/points/*"],
    ]);
    expect(statements("writer")).toHaveLength(1);
    expect(statements("writer")[0]).toMatchObject({ Resource: ["arn:aws:s3:::the-lake/points/*"] });
    const [athena, glue] = statements("asker");
    expect(athena?.Action).toContain("athena:StartQueryExecution");
    expect(glue?.Resource).toHaveLength(6);
    expect(statements("asker")[2]).toMatchObject({ Action: ["glue:GetDatabase"] });
  });
});

describe("the dashboard", () => {
  const make = () =>
    settle(() => {
      const reaper = new Reaper("reaper");
      const lake = new S3Lake("lake", { job: small, bucket: "the-lake" });
      return new AthenaDashboard("board", { job: small, lake, reaper, network: subnets });
    });

  test("an instance that nobody connects to, whose image changes only when it is asked to", async () => {
    const board = await make();
    expect(await result(board.instanceId)).toBe("board-instance-id");
    expect(named("board-template")).toMatchObject({
      imageId: "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
      instanceType: "t4g.small",
      metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
    });
    expect(named("board-instance")).toMatchObject({
      launchTemplate: { id: "board-template-id", version: "1" },
      subnetId: "subnet-1",
      tags: { "oneoff:deadline": "7 days", "oneoff:lake": "the-lake" },
    });
    expect(Buffer.from(named("board-template").userData as string, "base64").toString()).toContain(
      "ONEOFF_SOURCE=s3://the-lake/_dashboard/board",
    );
  });

  test("its release is under the digest of all of it, which is told last", async () => {
    await make();
    const digest = named("board-current").content as string;
    expect(digest).toMatch(/^[0-9a-f]{16}$/);
    const keys = ours()
      .filter(({ type, name }) => type.endsWith("BucketObjectv2") && name.startsWith("board-"))
      .map(({ inputs }) => String(inputs.key))
      .sort();
    const page = PAGE.map((file) => `page/${file}`);
    expect(keys).toEqual(
      [
        "_dashboard/board/current",
        ...["config.json", "index.mjs", ...page].map((f) => `_dashboard/board/${digest}/${f}`),
      ].sort(),
    );
    expect(JSON.parse(named("board-config").content as string)).toMatchObject({
      engine: { kind: "athena", region: "us-west-2", lake: "s3://the-lake", dailyScanBytes: 10 * 2 ** 30 },
      port: 8765,
      stack: "test",
    });
  });

  test("it may query and read, and write nothing but results", async () => {
    await make();
    const written = statements("board-policy")
      .filter(({ Action }) => (Action as string[]).includes("s3:PutObject"))
      .flatMap(({ Resource }) => Resource);
    expect(written).toEqual(["arn:aws:s3:::the-lake/_results/*"]);
    const read = statements("board-policy")
      .filter(({ Action }) => (Action as string[]).includes("s3:GetObject"))
      .flatMap(({ Resource }) => Resource as string[]);
    expect(read.filter((arn) => arn.includes("/_")).map((arn) => arn.slice("arn:aws:s3:::the-lake/".length))).toEqual([
      ...["_runs", "_runs/*", "_results", "_results/*", "_dashboard/board", "_dashboard/board/*", "_logs/*.log"],
    ]);
  });
});

test("the reaper may end only what carries the stack's tag", async () => {
  await settle(() => new Reaper("reaper"));
  const ending = statements("reaper-policy").filter(({ Action }) => /Terminate|Delete/.test(String(Action)));
  expect(ending).toHaveLength(5);
  for (const { Condition } of ending) {
    expect(Condition).toEqual({ StringEquals: { "aws:ResourceTag/oneoff:stack": "oneoff/test" } });
  }
  expect(named("reaper-schedule").scheduleExpression).toBe("rate(5 minutes)");
  expect(named("reaper-function").environment).toEqual({ variables: { ONEOFF_STACK: "oneoff/test" } });
});

test("the bill is the deadline and the reaper's lag, times all nodes, at their prices", () => {
  const bill = EmrCluster.bill({
    job: small,
    lifetime: { deadline: "105 minutes" },
    workers: { count: 2, types: ["m6g.xlarge"] },
  });
  const hour = 3 * (0.154 + 0.0385) + 3 * 0.005 + (3 * 79 * 0.08) / 730;
  const once = 1800 * 0.0000133334 + (1.75 * 1) / 730; // the launcher; the key until the deadline
  expect(bill.reduce((sum, { usd }) => sum + usd, 0)).toBeCloseTo(2 * hour + once, 10);
  const month = EmrCluster.bill(
    { job: small, lifetime: { deadline: "105 minutes" }, workers: { count: 2 } },
    "730 hours",
  );
  expect(month.find(({ what }) => what === "the disks' key")?.usd).toBeCloseTo(1, 10);
  const spot = EmrCluster.bill({
    job: small,
    lifetime: { deadline: "105 minutes" },
    workers: { count: 2, types: ["m6g.xlarge", "m7g.xlarge"], spot: { fallback: "on-demand" } },
  });
  expect(spot[1]).toMatchObject({ what: "2 workers, m7g.xlarge: EC2 and EMR, at the on-demand price" });
  expect(ceiling(spot)).toBeGreaterThan(ceiling(bill));
});
