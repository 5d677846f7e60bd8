import {
  DescribeClusterCommand,
  EMRClient,
  ListBootstrapActionsCommand,
  ListInstanceFleetsCommand,
  ListStepsCommand,
} from "@aws-sdk/client-emr";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { handler } from "../../../assets/emr-launcher/index.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { EmrCluster, Network, Reaper, S3Lake } from "../../../components/aws/index.ts";
import { record, settle } from "../../components/mocks.ts";
import { type Moto, startMoto } from "../../moto.ts";
import { fakeAws } from "../../stacks/fake-aws.ts";

let moto: Moto;
beforeAll(async () => {
  moto = await startMoto();
}, 60_000);
afterAll(() => moto.close());

test("what the component asks for is what the launcher rents", async () => {
  const { resources } = record(fakeAws);
  await settle(() => {
    const job = xo();
    const reaper = new Reaper("reaper");
    const lake = new S3Lake("lake", { job, bucket: "the-lake" });
    const network = new Network("network");
    const workers = { count: 2, types: ["m7g.xlarge", "m6g.xlarge"], spot: { fallback: "on-demand" } } as const;
    new EmrCluster("cluster", { job, lake, reaper, network, workers, lifetime: { deadline: "90 minutes" } });
  });
  const run = resources.find(({ name }) => name === "cluster-run");
  const launch = JSON.parse(String(run?.inputs.input));
  await new S3Client({ forcePathStyle: true }).send(
    new CreateBucketCommand({ Bucket: "the-lake", CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }),
  );

  // Wheels have tests of their own, and here they would be a hundred megabytes.
  const answer = await handler({ ...launch, wheels: [] }, { getRemainingTimeInMillis: () => 900_000 });
  const emr = new EMRClient({});
  const id = "cluster" in answer ? answer.cluster : "";
  const { Cluster: cluster } = await emr.send(new DescribeClusterCommand({ ClusterId: id }));
  expect(cluster).toMatchObject({ Name: "oneoff-test-cluster-1", ReleaseLabel: "emr-7.10.0", AutoTerminate: true });
  expect(cluster?.Tags).toContainEqual({ Key: "oneoff:deadline", Value: "90 minutes" });
  expect(cluster?.Tags).toContainEqual({ Key: "oneoff:lake", Value: "the-lake" }); // whose it is, to the launcher
  const { Steps: steps } = await emr.send(new ListStepsCommand({ ClusterId: id }));
  expect(steps?.map(({ Name }) => Name).sort()).toEqual(["generate", "train"]);
  for (const { Config } of steps ?? []) {
    const args = Config?.Args ?? [];
    expect(Date.parse(args[args.indexOf("--deadline") + 1] as string)).toBeGreaterThan(Date.now() + 80 * 60_000);
    expect(args.join(" ")).not.toMatch(/[{}]/);
  }
  const { BootstrapActions: actions } = await emr.send(new ListBootstrapActionsCommand({ ClusterId: id }));
  expect(actions?.map(({ ScriptPath }) => ScriptPath)).toEqual([
    expect.stringMatching(/^s3:\/\/the-lake\/_code\/[0-9a-f]{16}\/emr\/bootstrap\.sh$/),
  ]);
  const { InstanceFleets: fleets } = await emr.send(new ListInstanceFleetsCommand({ ClusterId: id })).catch(() => ({
    InstanceFleets: undefined, // moto knows no fleets
  }));
  if (fleets) expect(fleets).toHaveLength(2);
});
