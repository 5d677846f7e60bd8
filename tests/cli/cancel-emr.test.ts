/** A run on EMR that is asked to be cancelled: the real SDK against moto, at each moment of a cluster's life. */
import { setTimeout as sleep } from "node:timers/promises";
import { DescribeClusterCommand, EMRClient, RunJobFlowCommand } from "@aws-sdk/client-emr";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cancelOnEmr } from "../../cli/aws/emr/cancel.ts";
import { attach } from "../../cli/registry.ts";
import { S3Store } from "../../clients/lake/s3.ts";
import { type Moto, startMoto } from "../moto.ts";
import { attached, contextOf } from "./attached.ts";
import { type Front, Refusal, startFront } from "./front.ts";

const BUCKET = "the-lake";
const STACK = "emr-oneoff";
const MINUTE = 60_000;
const at = (minutes: number) => new Date(Date.now() + minutes * MINUTE).toISOString();

let moto: Moto;
let front: Front;
let s3: S3Client;
let emr: EMRClient;
let said: string[];

const put = (key: string, content: object) =>
  s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: JSON.stringify(content) }));
const request = (minutes = 0) => put("_cancels/1.json", { run: "1", at: at(minutes) });

beforeAll(async () => {
  moto = await startMoto();
  front = await startFront(moto.url);
  process.env.AWS_ENDPOINT_URL = front.url;
  s3 = new S3Client({ forcePathStyle: true });
  emr = new EMRClient({});
}, 60_000);
afterAll(() => {
  front?.close();
  moto?.close();
});
beforeEach(async () => {
  await moto.reset();
  said = [];
  const CreateBucketConfiguration = { LocationConstraint: "us-west-2" } as const;
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration }));
});
afterEach(() => front.reset());

const OWN = {
  "oneoff:stack": `oneoff/${STACK}`,
  "oneoff:lake": BUCKET,
  "oneoff:run": "1",
  "oneoff:cluster": "cluster",
};

/** Rents a cluster that lasts until it is ended, protected. */
async function rent(tags: Readonly<Record<string, string>> = OWN): Promise<string> {
  const step = (name: string) => ({
    Name: name,
    HadoopJarStep: { Jar: "command-runner.jar", Args: ["step.py", "--run", "1", "--job", "xo", "--step", name, "--"] },
  });
  const { JobFlowId } = await emr.send(
    new RunJobFlowCommand({
      Name: "a cluster",
      ReleaseLabel: "emr-7.13.0",
      Instances: { KeepJobFlowAliveWhenNoSteps: true, TerminationProtected: true },
      Steps: [step("generate"), step("train")],
      Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    }),
  );
  return JobFlowId as string;
}
const launched = async (cluster: string) => {
  await put("_launches/1.json", { run: "1", cluster, launched: at(-9), digest: "d" });
  return cluster;
};
const claim = (more: object = {}) =>
  put("_launches/1.json", {
    ...{ run: "1", digest: "d", claimed: at(-2), until: at(3), owner: `oneoff/${STACK}/cluster`, holder: "x" },
    ...more,
  });

const stateOf = async (ClusterId: string) =>
  (await emr.send(new DescribeClusterCommand({ ClusterId }))).Cluster?.Status?.State;
const asked = (operation: string) => front.asked.filter((one) => one.operation === operation);
const lake = () => new S3Store(`s3://${BUCKET}`, new S3Client({ forcePathStyle: true }));
const cancel = () =>
  cancelOnEmr(
    { emr: new EMRClient({}), lake: lake(), stack: `oneoff/${STACK}`, pollMs: 30 },
    ...(["1", (line: string) => said.push(line)] as const),
  );

/** Puts states over moto's, one for each look and the last for ever, once a cluster is asked to end. */
function lives(before: string, ...after: readonly string[]): void {
  const left = [...after];
  front.amend("DescribeCluster", (answer) => {
    const ends = asked("TerminateJobFlows").length > 0;
    const State = ends ? (left.length > 1 ? left.shift() : left[0]) : before;
    const { Cluster } = answer as { Cluster: { Status: object } };
    return { Cluster: { ...Cluster, Status: { ...Cluster.Status, State } } };
  });
}

const outputs = (cluster: string) => ({
  ...{ cluster: "emr", run: "1", lake: `s3://${BUCKET}`, region: "us-west-2", clusterId: cluster },
});
const status = async (cluster: string) => (await attached(contextOf(STACK, outputs(cluster)))).status("1");

describe("cancelling", () => {
  test("asks nothing of EMR before anybody launches the run", async () => {
    await cancel();
    expect(said).toEqual([]);
    expect(front.asked.filter(({ operation }) => /Cluster|JobFlow/.test(operation))).toEqual([]);
  });

  test.each(["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"])(
    "ends a cluster that is %s, and waits",
    async (state) => {
      const cluster = await launched(await rent());
      lives(state, state, "TERMINATING", "TERMINATING", "TERMINATED");
      await cancel();
      expect(said).toEqual([
        `cluster ${cluster} is ending: ${state}`, // EMR takes a moment
        `cluster ${cluster} is ending: TERMINATING`,
        `cluster ${cluster} is ending: TERMINATING`,
      ]);
      expect(asked("TerminateJobFlows")).toHaveLength(1);
      front.reset();
      expect(await stateOf(cluster)).toBe("TERMINATED"); // though it was protected
    },
  );

  test("leaves a cluster that has ended, or is unknown by now, and waits for one that ends by itself", async () => {
    const cluster = await launched(await rent());
    lives("TERMINATED_WITH_ERRORS");
    await cancel();
    let looks = 0;
    front.amend("DescribeCluster", ({ Cluster }) => {
      const State = (looks++ < 2 ? "TERMINATING" : "TERMINATED") as string;
      return { Cluster: { ...(Cluster as object), Status: { State } } };
    });
    await cancel();
    expect(said).toEqual(Array(2).fill(`cluster ${cluster} is ending: TERMINATING`));
    front.answer(
      "DescribeCluster",
      () => new Refusal("InvalidRequestException", `Cluster id '${cluster}' is not valid.`),
    );
    await cancel();
    expect(asked("TerminateJobFlows")).toEqual([]);
  });

  test("waits for a launcher that is at it, and ends what that has rented", async () => {
    await claim({ renting: true });
    const cancelling = cancel();
    await expect.poll(() => said[0]).toMatch(/^run 1 is being launched: .* by 20\d\d-/);
    const cluster = await launched(await rent());
    await cancelling;
    expect(await stateOf(cluster)).toBe("TERMINATED");
  });

  test("is done when the launcher gives its claim back", async () => {
    await claim();
    const bystander = await rent({ ...OWN, "oneoff:run": "2" });
    const cancelling = cancel();
    await sleep(60);
    await claim({ until: at(-1) });
    await cancelling;
    expect(await stateOf(bystander)).toBe("WAITING");
  });

  test("finds what was rented under a claim whose holder died, and nobody else's", async () => {
    await claim({ renting: true, until: at(-1) });
    const others = await Promise.all([
      rent({ ...OWN, "oneoff:run": "2" }),
      rent({ ...OWN, "oneoff:lake": "their-lake" }),
      rent({ ...OWN, "oneoff:stack": "oneoff/emr-oneoff-2" }),
    ]);
    const cluster = await rent();
    await cancel();
    expect(await stateOf(cluster)).toBe("TERMINATED");
    for (const other of others) expect(await stateOf(other)).toBe("WAITING");
  });

  test.each([
    ["oneoff:run", "2"],
    ["oneoff:lake", "their-lake"],
    ["oneoff:stack", "theirs/emr-oneoff"],
  ])("refuses a cluster whose tag %s is another's, whatever the lake says", async (tag, value) => {
    const cluster = await launched(await rent({ ...OWN, [tag]: value }));
    const own = OWN[tag as keyof typeof OWN];
    await expect(cancel()).rejects.toThrow(
      `cluster ${cluster} of run 1 is not ended: its tag ${tag} is "${value}", and this stack's is "${own}"`,
    );
    expect(await stateOf(cluster)).toBe("WAITING");
  });

  test("is no error where two do it at once, the second being refused by EMR", async () => {
    const cluster = await launched(await rent());
    let first = true;
    front.answer("SetTerminationProtection", () => {
      if (!first) return new Refusal("ValidationException", "A job flow that is shutting down may not be modified.");
      first = false;
      return {};
    });
    let looks = 0;
    front.amend("DescribeCluster", ({ Cluster }) => {
      const State = ++looks <= 2 ? "RUNNING" : looks < 6 ? "TERMINATING" : "TERMINATED";
      return { Cluster: { ...(Cluster as object), Status: { State } } };
    });
    front.answer("TerminateJobFlows", () => ({}));
    await Promise.all([cancel(), cancel()]);
    expect(new Set(said)).toEqual(new Set([`cluster ${cluster} is ending: TERMINATING`]));
    expect(asked("TerminateJobFlows")).toHaveLength(1);
  });

  test("says what EMR refuses", async () => {
    const cluster = await launched(await rent());
    const denied = "User x may not elasticmapreduce:TerminateJobFlows";
    front.answer("TerminateJobFlows", () => new Refusal("AccessDeniedException", denied));
    const { cancel } = await attach(contextOf(STACK, outputs(cluster)));
    await expect(cancel?.("1", () => undefined)).rejects.toThrow(
      `AWS doesn't allow it: ${denied}; ask for the permission, or choose another AWS_PROFILE`,
    );
    front.reset();
    await cancel?.("1", () => undefined); // and goes on once it may
    expect(await stateOf(cluster)).toBe("TERMINATED");
  });
});

describe("a run", () => {
  const ended = (minutes: number, ...steps: readonly string[]) => {
    const EndDateTime = Date.parse(at(minutes)) / 1000;
    const Timeline = { CreationDateTime: Date.parse(at(-9)) / 1000, EndDateTime };
    front.amend("DescribeCluster", ({ Cluster }) => {
      const reason = { Code: "USER_REQUEST", Message: "Terminated by user request" };
      const Status = { State: "TERMINATED", StateChangeReason: reason, Timeline };
      return { Cluster: { ...(Cluster as object), Status } };
    });
    front.amend("ListSteps", ({ Steps }) => {
      const named = ["train", "generate"].map((name) =>
        (Steps as { Name: string }[]).find(({ Name }) => Name === name),
      );
      const begun = { StartDateTime: Date.parse(at(-5)) / 1000, EndDateTime };
      return {
        Steps: named.map((step, i) => {
          const State = steps[1 - i];
          return { ...step, Status: { State, Timeline: State === "PENDING" ? {} : begun } };
        }),
      };
    });
  };

  test("is cancelled when its cluster was ended after somebody asked for that, though nobody was left to record it", async () => {
    const cluster = await launched(await rent());
    ended(-1, "COMPLETED", "CANCELLED");
    expect(await status(cluster)).toMatchObject({ state: "failed" });
    await request(-2);
    const found = await status(cluster);
    expect(found).toMatchObject({
      state: "cancelled",
      error: expect.stringMatching(/^cancelled: that was asked for at 20/),
      steps: [
        { name: "generate", state: "succeeded" },
        { name: "train", state: "cancelled" },
      ],
    });
    ended(-1, "PENDING", "PENDING"); // it never came to a step
    expect(await status(cluster)).toMatchObject({
      state: "cancelled",
      steps: [{ state: "pending" }, { state: "pending" }],
    });
  });

  test("whose steps have succeeded has succeeded", async () => {
    const cluster = await launched(await rent());
    ended(-1, "COMPLETED", "COMPLETED");
    await request(-2);
    expect(await status(cluster)).toMatchObject({ state: "succeeded" });
  });

  test("is going on while it is launched, and not once its launch was given up", async () => {
    await claim();
    expect(await status("")).toMatchObject({
      state: "running",
      cluster: { state: "LAUNCHING", reason: expect.stringMatching(/^its launcher has until 20/) },
    });
    await claim({ until: at(-1) });
    expect(await status("")).toBeUndefined();
    await claim({ until: at(-1), renting: true }); // whoever died then may have rented something
    expect(await status("")).toMatchObject({
      state: "running",
      cluster: { reason: expect.stringMatching(/^its launcher died: .* "npx --no oneoff cancel" ends that$/) },
    });
  });

  test("that was cancelled before it had a cluster has no pages of one", async () => {
    const { route } = await attach(contextOf(STACK, outputs("")));
    await expect(route("spark")).rejects.toThrow(
      'run 1 has no cluster: it was cancelled before there was one; "npx --no oneoff run emr-oneoff" starts another',
    );
  });
});
