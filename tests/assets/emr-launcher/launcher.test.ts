import {
  type Cluster,
  DescribeClusterCommand,
  EMRClient,
  ListClustersCommand,
  RunJobFlowCommand,
} from "@aws-sdk/client-emr";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Context } from "../../../assets/emr-launcher/context.ts";
import { endAll } from "../../../assets/emr-launcher/end.ts";
import type { Guard, Launch, Launched } from "../../../assets/emr-launcher/event.ts";
import { handler } from "../../../assets/emr-launcher/index.ts";
import { digestOf, launch } from "../../../assets/emr-launcher/launch.ts";
import { type Moto, startMoto } from "../../moto.ts";
import { type FakeIndex, startIndex } from "../wheels/package-index.ts";

const MINUTE = 60_000;
const Bucket = "lake";
let moto: Moto;
let index: FakeIndex;
let wheel: string;

beforeAll(async () => {
  moto = await startMoto("us-east-1");
  index = await startIndex("json");
  wheel = index.add("foo-1.0-py3-none-any.whl", "a wheel");
});
afterAll(() => {
  moto?.close();
  index?.close();
});
beforeEach(async () => {
  await moto.reset();
  const s3 = new S3Client({ forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket }));
  const Body = `foo==1.0 --hash=sha256:${wheel}\n`;
  await s3.send(new PutObjectCommand({ Bucket, Key: "_wheels/abc/requirements.txt", Body }));
});

const wanted = (run = "1", more: Partial<Launch> = {}): Launch => {
  const cluster = more.cluster ?? "cluster";
  const bucket = more.bucket ?? Bucket;
  const tags = {
    "oneoff:stack": "oneoff/emr",
    "oneoff:lake": bucket,
    "oneoff:cluster": cluster,
    "oneoff:run": run,
    "oneoff:deadline": "1 hour",
  };
  return {
    stack: "oneoff/emr",
    cluster,
    run,
    bucket,
    wheels: ["_wheels/abc"],
    architecture: "arm64",
    packageIndex: index.url,
    deadlineSeconds: 3600,
    request: {
      Name: `oneoff-${run}`,
      ReleaseLabel: "emr-7.13.0",
      Instances: { KeepJobFlowAliveWhenNoSteps: true, TerminationProtected: true },
      Steps: [
        { Name: "train", HadoopJarStep: { Jar: "command-runner.jar", Args: ["step.py", "--deadline", "{deadline}"] } },
      ],
      Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    },
    ...more,
  };
};
const guard: Guard = { stack: "oneoff/emr", cluster: "cluster", bucket: Bucket };

/** An invocation of the function, begun `minutes` from now. */
function invocation(minutes = 0, more: Partial<Context> = {}): Context {
  const begun = Date.now();
  return {
    s3: new S3Client({ forcePathStyle: true }),
    emr: new EMRClient({}),
    renter: new EMRClient({ maxAttempts: 1 }),
    now: () => new Date(Date.now() + minutes * MINUTE),
    remainingMs: () => 15 * MINUTE - (Date.now() - begun),
    pollMs: 30,
    patienceMs: 200,
    ...more,
  };
}

type Step = (input: string, next: () => Promise<never>) => Promise<never>;

/** Changes what becomes of a command; `input` is the command's, as JSON. */
function on<C extends S3Client | EMRClient>(client: C, command: string, step: Step): C {
  (client as S3Client).middlewareStack.add(
    (next, context) => async (args) =>
      context.commandName === command
        ? step(JSON.stringify(args.input), () => next(args) as Promise<never>)
        : next(args),
    { step: "initialize", priority: "high" },
  );
  return client;
}
const never = () => new Promise<never>(() => {});
const refusal = (name: string, message: string) => Object.assign(new Error(message), { name, $fault: "client" });

async function rented(): Promise<readonly string[]> {
  const { Clusters } = await new EMRClient({}).send(new ListClustersCommand({}));
  return (Clusters ?? []).map(({ Id }) => Id as string);
}
async function stateOf(ClusterId: string): Promise<string | undefined> {
  return (await new EMRClient({}).send(new DescribeClusterCommand({ ClusterId }))).Cluster?.Status?.State;
}
async function onRecord(run = "1"): Promise<Record<string, unknown>> {
  const Key = `_launches/${run}.json`;
  const { Body } = await new S3Client({ forcePathStyle: true }).send(new GetObjectCommand({ Bucket, Key }));
  return JSON.parse((await Body?.transformToString()) ?? "");
}
/** Until the record of a run says so. */
async function until(says: (record: Record<string, unknown>) => boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await onRecord().then(says, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the record never said so");
}

/** A cluster of somebody whose stack, component and run have the same names in the same account. */
async function theirs(run = "1"): Promise<string> {
  const { request } = wanted(run, { bucket: "their-lake" });
  const { JobFlowId } = await new EMRClient({}).send(new RunJobFlowCommand(request));
  return JobFlowId as string;
}

describe("launching", () => {
  test("rents a cluster with its deadline and its wheels, and says which", async () => {
    const context = invocation();
    let request = "";
    let wheelThere = false;
    on(context.renter, "RunJobFlowCommand", async (input, next) => {
      request = input;
      const Key = "_wheels/abc/foo-1.0-py3-none-any.whl";
      wheelThere = await context.s3.send(new HeadObjectCommand({ Bucket, Key })).then(() => true);
      return next();
    });

    const launched = await launch(context, wanted());

    expect(await rented()).toEqual([launched.cluster]);
    expect(launched).toEqual({
      run: "1",
      cluster: expect.stringMatching(/^j-/),
      launched: expect.stringMatching(/^20\d\d-.*Z$/),
      digest: digestOf(wanted()),
    });
    expect(await onRecord()).toEqual(launched);
    expect(wheelThere).toBe(true);
    const deadline = /"--deadline","(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"/.exec(request)?.[1] ?? "";
    expect(Math.abs(Date.parse(deadline) - Date.now() - 3600_000)).toBeLessThan(10_000);
  });

  test("the same run is never rented twice, also when its cluster has ended", async () => {
    const first = await launch(invocation(), wanted());
    expect(await launch(invocation(), wanted())).toEqual(first);
    await endAll(invocation(), guard);
    expect(await stateOf(first.cluster)).toBe("TERMINATED");
    expect(await launch(invocation(60 * 24), wanted())).toEqual(first);
    expect(await rented()).toEqual([first.cluster]);
  });

  test("other settings under the same run id change nothing and are warned of", async () => {
    const first = await launch(invocation(), wanted());
    const { warning, ...again } = await launch(invocation(), wanted("1", { deadlineSeconds: 7200 }));
    expect(again).toEqual(first);
    expect(warning).toMatch(/run 1 was launched with other settings.*takes effect with a new run id/);
    expect(await onRecord()).toEqual(first);
    expect(await rented()).toHaveLength(1);
  });

  test("the digest depends on what is asked for, not on the order of its keys", () => {
    const backwards = Object.fromEntries(Object.entries(wanted()).reverse()) as unknown as Launch;
    expect(digestOf(backwards)).toBe(digestOf(wanted()));
    expect(digestOf({ ...wanted(), tf: { action: "update" } })).toBe(digestOf(wanted()));
    expect(digestOf(wanted("1", { wheels: [] }))).not.toBe(digestOf(wanted()));
  });

  test("another run ends the cluster of the one before, and no other component's", async () => {
    const first = await launch(invocation(), wanted("1"));
    const other = await launch(invocation(), wanted("other-1", { cluster: "other" }));
    const second = await launch(invocation(), wanted("2"));
    expect(await Promise.all([first, second, other].map(({ cluster }) => stateOf(cluster)))).toEqual([
      "TERMINATED",
      "WAITING",
      "WAITING",
    ]);
  });
});

describe("a run whose cluster has ended", () => {
  /** The answer, given that EMR says so of the cluster, and how often it was asked. */
  async function answered(status: Cluster["Status"] | Error, more: Partial<Launch> = {}) {
    await launch(invocation(), wanted());
    const context = invocation();
    let asked = 0;
    on(context.emr, "DescribeClusterCommand", async () => {
      asked += 1;
      if (status instanceof Error) throw status;
      return { output: { $metadata: {}, Cluster: { Status: status } } } as never;
    });
    on(context.emr, "ListClustersCommand", never);
    const answer = await launch(context, wanted("1", more));
    return { asked, ...answer };
  }
  const early = {
    State: "TERMINATED_WITH_ERRORS",
    StateChangeReason: { Code: "VALIDATION_ERROR", Message: "Subnet is required" },
    Timeline: { CreationDateTime: new Date(), EndDateTime: new Date() },
  } as const;

  test("is warned of when it came to no step, by one question", async () => {
    const { asked, cluster, warning } = await answered(early);
    expect(warning).toBe(
      `run 1 was rented as ${cluster} and ended before its first step (VALIDATION_ERROR: Subnet is required): "npx --no oneoff run emr" starts a new one`,
    );
    expect(asked).toBe(1);
    expect(await rented()).toEqual([cluster]);
    expect(await onRecord()).not.toHaveProperty("warning");
  });

  test("is warned of beside other settings", async () => {
    const { warning } = await answered(early, { deadlineSeconds: 7200 });
    expect(warning).toMatch(/before its first step .* starts a new one; run 1 was launched with other settings/);
  });

  test.each([
    ["it came to its steps", { ...early, Timeline: { ...early.Timeline, ReadyDateTime: new Date() } }],
    ["it is still starting", { ...early, State: "BOOTSTRAPPING" }],
    ["EMR knows it no more", refusal("InvalidRequestException", "Cluster id 'j-1' is not valid.")],
  ] as const)("is not when %s", async (_why, status) => {
    const { asked, warning, cluster } = await answered(status);
    expect(warning).toBeUndefined();
    expect(asked).toBe(1);
    expect(await rented()).toEqual([cluster]);
  });
});

describe("a stack of the same name with another lake", () => {
  test("keeps its cluster when this one starts a new run", async () => {
    const bystander = await theirs("0");
    const first = await launch(invocation(), wanted("1"));
    const second = await launch(invocation(), wanted("2"));
    expect(await stateOf(first.cluster)).toBe("TERMINATED");
    expect(await stateOf(second.cluster)).toBe("WAITING");
    expect(await stateOf(bystander)).toBe("WAITING");
  });

  test("keeps its cluster when this one is destroyed", async () => {
    const bystander = await theirs();
    const { cluster } = await launch(invocation(), wanted());
    await endAll(invocation(), guard);
    expect(await stateOf(cluster)).toBe("TERMINATED");
    expect(await stateOf(bystander)).toBe("WAITING");
  });

  test("is not taken for a cluster whose id was lost on the way back", async () => {
    const context = invocation();
    on(context.renter, "RunJobFlowCommand", async () => {
      throw Object.assign(new Error("socket hang up"), { name: "TimeoutError" });
    });
    const bystander = await theirs();
    await expect(launch(context, wanted())).rejects.toThrow("EMR did not answer the request for a cluster");
    expect(await stateOf(bystander)).toBe("WAITING");
    expect(await rented()).toEqual([bystander]);
  });

  test("is not taken for the cluster of a claim whose holder died", async () => {
    const dying = invocation();
    on(dying.s3, "HeadObjectCommand", never);
    void launch(dying, wanted());
    await until(({ claimed }) => claimed !== undefined);
    const bystander = await theirs();
    const { cluster } = await launch(invocation(16), wanted());
    expect(cluster).not.toBe(bystander);
    expect([...(await rented())].sort()).toEqual([bystander, cluster].sort());
    expect(await stateOf(bystander)).toBe("WAITING");
  });
});

describe("at the same time", () => {
  test("five invocations rent one cluster", async () => {
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => launch(invocation(), wanted())));
    expect(await rented()).toHaveLength(1);
    expect(new Set(answers.map(({ cluster }) => cluster))).toEqual(new Set(await rented()));
  });

  test("who comes second waits for the first, and gives up before its own time is over", async () => {
    const slow = invocation();
    on(slow.renter, "RunJobFlowCommand", async (_input, next) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return next();
    });
    const first = launch(slow, wanted());
    await until(({ claimed }) => claimed !== undefined);
    const hasty = invocation(0, { remainingMs: () => 10_000 });
    await expect(launch(hasty, wanted())).rejects.toThrow(/run 1 is being launched by somebody else, who has until 20/);
    expect(await launch(invocation(), wanted())).toEqual(await first);
    expect(await rented()).toHaveLength(1);
  });

  test("a write whose answer was lost counts", async () => {
    const context = invocation();
    let writes = 0;
    on(context.s3, "PutObjectCommand", async (input, next) => {
      if (!input.includes("_launches/")) return next();
      writes += 1;
      await next();
      return next(); // as the SDK does
    });
    const { cluster } = await launch(context, wanted());
    expect(writes).toBe(3);
    expect(await rented()).toEqual([cluster]);
    expect(await onRecord()).toMatchObject({ cluster });
  });
});

describe("when the function dies", () => {
  test("between its claim and the request, the run is launched once the claim is over", async () => {
    const dying = invocation();
    on(dying.s3, "HeadObjectCommand", never); // while it stages wheels
    void launch(dying, wanted());
    await until(({ claimed }) => claimed !== undefined);

    const early = invocation(14, { remainingMs: () => 10_000 });
    await expect(launch(early, wanted())).rejects.toThrow("being launched by somebody else");
    expect(await rented()).toEqual([]);

    const { cluster } = await launch(invocation(16), wanted());
    expect(await rented()).toEqual([cluster]);
  });

  test("between the request and its record, the cluster is found again", async () => {
    const dying = invocation();
    on(dying.s3, "PutObjectCommand", (input, next) => (input.includes('\\"cluster\\"') ? never() : next()));
    void launch(dying, wanted());
    await until(({ renting }) => renting === true);
    while ((await rented()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const [cluster] = await rented();

    // Who takes over dies as well, before it has looked.
    const next = invocation(6);
    on(next.emr, "ListClustersCommand", never);
    void launch(next, wanted());
    await until(({ renting }) => renting === undefined);

    const last = await launch(invocation(6 + 16), wanted());
    expect(last.cluster).toBe(cluster);
    expect(await rented()).toEqual([cluster]);
    expect(await onRecord()).toEqual(last);
  });

  test("a cluster of an earlier life of the stack is not taken for this run's", async () => {
    const before = await launch(invocation(), wanted());
    await endAll(invocation(), guard);
    await new S3Client({ forcePathStyle: true }).send(new CreateBucketCommand({ Bucket: "new-lake" }));
    const fresh = wanted("1", { bucket: "new-lake", wheels: [] });
    const after = await launch(invocation(), fresh);
    expect(after.cluster).not.toBe(before.cluster);
  });

  test("who was taken for dead and wasn't, ends its own cluster", async () => {
    const slow = invocation();
    let goOn = () => {};
    const paused = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    on(slow.renter, "RunJobFlowCommand", async (_input, next) => {
      await paused;
      return next();
    });
    const first = launch(slow, wanted());
    await until(({ renting }) => renting === true);
    const second = await launch(invocation(6), wanted());
    goOn();
    expect(await first).toEqual(second);
    const states = await Promise.all((await rented()).map(async (id) => [id, await stateOf(id)]));
    expect(states).toHaveLength(2);
    for (const [id, state] of states) expect(state).toBe(id === second.cluster ? "WAITING" : "TERMINATED");
  });
});

describe("when something fails", () => {
  test("the claim is given back, so that the next attempt need not wait", async () => {
    const unreachable = wanted("1", { packageIndex: "http://127.0.0.1:9/simple" });
    await expect(launch(invocation(), unreachable)).rejects.toThrow("http://127.0.0.1:9/simple/foo/ can't be reached");
    expect(await rented()).toEqual([]);
    const { cluster, warning } = await launch(invocation(0, { remainingMs: () => MINUTE }), wanted());
    expect(warning).toBeUndefined();
    expect(await rented()).toEqual([cluster]);
  });

  test("EMR's refusal is told, and may be cured", async () => {
    const context = invocation();
    on(context.renter, "RunJobFlowCommand", async () => {
      throw refusal("ValidationException", "The supplied release label is invalid: emr-9.9.9");
    });
    await expect(launch(context, wanted())).rejects.toThrow(
      "EMR refused the cluster: The supplied release label is invalid: emr-9.9.9 (ValidationException)",
    );
    const { cluster } = await launch(invocation(0, { remainingMs: () => MINUTE }), wanted());
    expect(await rented()).toEqual([cluster]);
  });

  test("what moto refuses is a refusal too", async () => {
    const bad = wanted("1", { request: { ...wanted().request, AmiVersion: "3.8.0" } });
    await expect(launch(invocation(), bad)).rejects.toThrow(
      /^EMR refused the cluster: Only one AMI version and release label .*\(ValidationException\)$/,
    );
  });

  test.each([
    refusal("ValidationException", "Invalid InstanceProfile: arn:aws:iam::1:instance-profile/x."),
    refusal("AccessDeniedException", "Failed to authorize instance profile arn:aws:iam::1:instance-profile/x"),
    refusal("ThrottlingException", "Rate exceeded"),
  ])("$message is asked again for a while", async (error) => {
    const context = invocation(0, { patienceMs: 5000 });
    let attempts = 0;
    on(context.renter, "RunJobFlowCommand", async (_input, next) => {
      attempts += 1;
      if (attempts < 3) throw error;
      return next();
    });
    const { cluster } = await launch(context, wanted());
    expect(attempts).toBe(3);
    expect(await rented()).toEqual([cluster]);
  });

  test("a cluster whose id was lost on the way back is found", async () => {
    const context = invocation();
    on(context.renter, "RunJobFlowCommand", async (_input, next) => {
      await next();
      throw Object.assign(new Error("socket hang up"), { name: "TimeoutError" });
    });
    const { cluster } = await launch(context, wanted());
    expect(await rented()).toEqual([cluster]);
  });

  test("an answer that was lost with no cluster behind it is an error", async () => {
    const context = invocation();
    on(context.renter, "RunJobFlowCommand", async () => {
      throw Object.assign(new Error("socket hang up"), { name: "TimeoutError" });
    });
    await expect(launch(context, wanted())).rejects.toThrow("EMR did not answer the request for a cluster");
    expect(await rented()).toEqual([]);
  });
});

describe("a run that is to be cancelled", () => {
  const at = "2026-11-30T12:00:00Z";
  const request = (run = "1", Body = JSON.stringify({ run, at })) =>
    new S3Client({ forcePathStyle: true }).send(new PutObjectCommand({ Bucket, Key: `_cancels/${run}.json`, Body }));
  const NOTHING =
    'run 1 was cancelled (that was asked for at 2026-11-30T12:00:00Z), and nothing was rented for it: "npx --no oneoff run emr" starts another';

  test("is never rented, however often it is launched, and nothing is fetched for it", async () => {
    await request();
    for (let time = 0; time < 2; time += 1) {
      // Not even asked for: that index does not answer.
      const answer = await launch(invocation(), wanted("1", { packageIndex: "http://127.0.0.1:9/simple" }));
      expect(answer).toMatchObject({ run: "1", cluster: "", warning: NOTHING });
    }
    expect(await rented()).toEqual([]);
    expect(await onRecord()).not.toHaveProperty("cluster");
    const { cluster, warning } = await launch(invocation(), wanted("2"));
    expect(warning).toBeUndefined(); // another run is
    expect(await rented()).toEqual([cluster]);
  });

  test("is not rented when that is asked for while its wheels are staged", async () => {
    const context = invocation();
    on(context.emr, "ListClustersCommand", async (_input, next) => {
      await request();
      return next();
    });
    expect(await launch(context, wanted())).toMatchObject({ cluster: "", warning: NOTHING });
    expect(await rented()).toEqual([]);
    const { until: end, renting } = await onRecord();
    expect(Date.parse(String(end))).toBeLessThanOrEqual(Date.now()); // who cancels need not wait for it
    expect(renting).toBeUndefined();
  });

  test("has its cluster ended when that is asked for while it is rented, protected as it is", async () => {
    const context = invocation();
    on(context.renter, "RunJobFlowCommand", async (_input, next) => {
      await request();
      return next();
    });
    const { cluster, warning } = await launch(context, wanted());
    expect(warning).toBe(
      `run 1 was cancelled (that was asked for at ${at}), and its cluster ${cluster} ended: "npx --no oneoff run emr" starts another`,
    );
    expect(await rented()).toEqual([cluster]);
    expect(await stateOf(cluster)).toBe("TERMINATED");
    expect(await onRecord()).toMatchObject({ cluster });
    expect((await launch(invocation(), wanted())).warning).toBe(warning);
  });

  test("has its cluster ended when it is launched again, and is no other run's", async () => {
    const { cluster } = await launch(invocation(), wanted());
    await request("2");
    expect((await launch(invocation(), wanted())).warning).toBeUndefined();
    expect(await stateOf(cluster)).toBe("WAITING");
    await request("1", "no JSON");
    const { warning } = await launch(invocation(), wanted());
    expect(warning).toMatch(
      /^run 1 was cancelled \(that was asked for at a time that it doesn't say\), and its cluster/,
    );
    expect(await stateOf(cluster)).toBe("TERMINATED");
  });

  test("has the cluster ended of a claim whose holder died", async () => {
    const dying = invocation();
    on(dying.s3, "PutObjectCommand", (input, next) => (input.includes('\\"cluster\\"') ? never() : next()));
    void launch(dying, wanted());
    await until(({ renting }) => renting === true);
    while ((await rented()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await request();
    const { cluster } = await launch(invocation(6), wanted());
    expect(await rented()).toEqual([cluster]);
    expect(await stateOf(cluster)).toBe("TERMINATED");
  });

  test("is not rented while nobody may look whether it is", async () => {
    const context = invocation();
    on(context.s3, "GetObjectCommand", async (input, next) => {
      if (input.includes("_cancels/")) throw refusal("AccessDenied", "Access Denied");
      return next();
    });
    await expect(launch(context, wanted())).rejects.toThrow("Access Denied");
    expect(await rented()).toEqual([]);
  });
});

describe("deleting", () => {
  const remaining = { getRemainingTimeInMillis: () => 15 * MINUTE };
  const action = (name: "create" | "update" | "delete") => ({ tf: { action: name, prev_input: null } });

  test("ends all of the component's clusters, protected ones too, and no bystander", async () => {
    const first = await launch(invocation(), wanted("1"));
    const other = await launch(invocation(), wanted("2", { cluster: "other" }));
    const stranger = await launch(invocation(), wanted("3", { stack: "oneoff/emr-2", request: strangers() }));
    await endAll(invocation(), guard);
    expect(await Promise.all([first, other, stranger].map(({ cluster }) => stateOf(cluster)))).toEqual([
      "TERMINATED",
      "WAITING",
      "WAITING",
    ]);
  });
  const strangers = () => {
    const { request } = wanted("3");
    const Tags = request.Tags?.map((tag) => (tag.Key === "oneoff:stack" ? { ...tag, Value: "oneoff/emr-2" } : tag));
    return { ...request, Tags };
  };

  test("is content when there is none, and when the bucket is gone", async () => {
    await endAll(invocation(), guard);
    await endAll(invocation(), { ...guard, bucket: "no-such-bucket" });
  });

  test("says so when a cluster takes too long", async () => {
    const { cluster } = await launch(invocation(), wanted());
    const context = invocation(0, { remainingMs: () => 30_100 });
    on(context.emr, "TerminateJobFlowsCommand", async () => ({ output: { $metadata: {} } }) as never);
    await expect(endAll(context, guard)).rejects.toThrow(`${cluster} is still ending: try again in some minutes`);
  });

  test("calls off a launch that hasn't asked for its cluster yet", async () => {
    const slow = invocation();
    let goOn = () => {};
    const paused = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    on(slow.s3, "HeadObjectCommand", async (_input, next) => {
      await paused;
      return next();
    });
    const launching = launch(slow, wanted());
    await until(({ claimed }) => claimed !== undefined);
    await endAll(invocation(), guard);
    goOn();
    await expect(launching).rejects.toThrow("the launch of run 1 was called off");
    expect(await rented()).toEqual([]);
  });

  test("waits for a launch that has asked for its cluster, and ends that", async () => {
    const slow = invocation();
    on(slow.renter, "RunJobFlowCommand", async (_input, next) => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      return next();
    });
    const launching = launch(slow, wanted());
    await until(({ renting }) => renting === true);
    await endAll(invocation(), guard);
    expect(await stateOf((await launching).cluster)).toBe("TERMINATED");
  });

  test("is what the handler does for a run and for a guard, which does nothing else", async () => {
    expect(await handler({ ...guard, ...action("create") }, remaining)).toEqual({});
    const launched = (await handler({ ...wanted(), ...action("create") }, remaining)) as Launched;
    expect(await handler(wanted(), remaining)).toEqual(launched); // lifecycleScope CREATE_ONLY sends no action
    expect(await handler({ ...guard, ...action("update") }, remaining)).toEqual({});
    expect(await stateOf(launched.cluster)).toBe("WAITING");
    expect(await handler({ ...guard, ...action("delete") }, remaining)).toEqual({});
    expect(await stateOf(launched.cluster)).toBe("TERMINATED");
    expect(await handler({ ...wanted(), ...action("delete") }, remaining)).toEqual({});
    expect(await rented()).toEqual([launched.cluster]);
  });
});
