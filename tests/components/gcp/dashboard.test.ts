import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../../assets/dashboard/config.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { BigQueryDashboard, type BigQueryDashboardArgs } from "../../../components/gcp/dashboard.ts";
import { GcsLake } from "../../../components/gcp/lake.ts";
import { GcpNetwork } from "../../../components/gcp/network.ts";
import { computePerHour } from "../../../components/gcp/prices.ts";
import { ceiling } from "../../../core/bill.ts";
import { PAGE } from "../../assets/dashboard/page-files.ts";
import { type Registered, record, result, settle } from "../mocks.ts";

process.env.GOOGLE_PROJECT = "my-project";
process.env.GOOGLE_REGION = "europe-west1";

let resources: Registered[];
beforeAll(() => {
  const answers: Record<string, (name: string, inputs: Readonly<Record<string, unknown>>) => object> = {
    "random:index/randomId:RandomId": () => ({ hex: "1a2b3c4d" }),
    "gcp:serviceaccount/account:Account": (_, { accountId, project }) => {
      const email = `${accountId}@${project}.iam.gserviceaccount.com`;
      return { email, member: `serviceAccount:${email}` };
    },
    "gcp:compute/instance:Instance": (name) => ({ name: `${name}-1234567` }),
  };
  resources = record({ outputs: (type, name, inputs) => ({ ...answers[type]?.(name, inputs) }) }).resources;
});
afterEach(() => {
  resources.length = 0;
});

const job = xo({ rows: 100 });
const ours = () => resources.filter(({ custom }) => custom);
const named = (name: string): Readonly<Record<string, unknown>> => {
  const found = resources.filter((resource) => resource.name === name);
  expect(
    found.map(({ name }) => name),
    name,
  ).toEqual([name]);
  return found[0]?.inputs ?? {};
};
/** Content of an object, which the provider takes for a secret. */
const content = (name: string): string => (named(name).content as { value: string }).value;

const make = (args: Partial<BigQueryDashboardArgs> = {}) =>
  settle(() => {
    const lake = new GcsLake("lake", { job, bucket: "the-lake", queryLimit: "1 GB" });
    return new BigQueryDashboard("board", { job, lake, network: { network: "n", subnetwork: "s" }, ...args });
  });

describe("the instance", () => {
  test("nobody connects to it, and it stops at its deadline", async () => {
    const board = await make();
    const instance = named("board-instance");
    expect(instance).toMatchObject({
      project: "my-project",
      zone: "europe-west1-b",
      machineType: "e2-small",
      networkInterfaces: [{ network: "n", subnetwork: "s" }],
      serviceAccount: {
        email: "test-board-1a2b3c4d@my-project.iam.gserviceaccount.com",
        scopes: ["cloud-platform"],
      },
      shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
      scheduling: {
        maxRunDuration: { seconds: 7 * 86_400 },
        instanceTerminationAction: "STOP",
        automaticRestart: false,
      },
      deletionProtection: false,
      labels: { "oneoff-stack": "oneoff__test", "oneoff-lake": "the-lake" },
    });
    expect(JSON.stringify(instance)).not.toMatch(/accessConfig/i);
    expect(instance.bootDisk).toEqual({
      autoDelete: true,
      initializeParams: {
        image: "projects/cos-cloud/global/images/family/cos-stable",
        size: 10,
        type: "pd-standard",
        labels: { "oneoff-stack": "oneoff__test", "oneoff-lake": "the-lake" },
      },
    });
    expect(await result(board.instanceName)).toBe("board-instance-1234567");
    expect([board.zone, board.port]).toEqual(["europe-west1-b", 8765]);
    expect(await result(board.serviceAccount)).toBe("test-board-1a2b3c4d@my-project.iam.gserviceaccount.com");
  });

  test("it is told where its releases are, and lets nobody in by a key or a console", async () => {
    await make();
    const { "user-data": userData, ...rest } = named("board-instance").metadata as Record<string, string>;
    expect(rest).toEqual({
      "block-project-ssh-keys": "TRUE",
      "serial-port-enable": "FALSE",
      "google-logging-enabled": "true",
    });
    const unit = parse(userData as string).write_files[1].content;
    expect(unit).toContain("--env ONEOFF_SOURCE=gs://the-lake/_dashboard/board ");
    expect(unit).toContain("gcr.io/distroless/nodejs24-debian12:nonroot /etc/oneoff-dashboard/bootstrap.mjs\n");
  });

  test("a network of the stack's own, another machine, zone, image and deadline", async () => {
    await settle(() => {
      const lake = new GcsLake("lake", { job, bucket: "the-lake" });
      const network = new GcpNetwork("net");
      return new BigQueryDashboard("board", {
        ...{ job, lake, network, machineType: "n2-standard-2", zone: "europe-west1-d" },
        ...{ image: "europe-docker.pkg.dev/p/r/node:24", lifetime: { deadline: "90 days" } },
        transform: { instance: { minCpuPlatform: "Intel Ice Lake" } },
      });
    });
    expect(named("board-instance")).toMatchObject({
      ...{ machineType: "n2-standard-2", zone: "europe-west1-d", minCpuPlatform: "Intel Ice Lake" },
      networkInterfaces: [{ network: "net-network-id", subnetwork: "net-subnet-id" }],
      scheduling: { maxRunDuration: { seconds: 90 * 86_400 } },
    });
    expect(JSON.stringify(named("board-instance").metadata)).toContain("europe-docker.pkg.dev/p/r/node:24 /etc/");
    expect(named("board-tunnel")).toMatchObject({ network: "net-network-id" });
  });
});

test("only tunnels reach the page, whatever else the network lets in", async () => {
  await make();
  const rules = ours().filter(({ type }) => type === "gcp:compute/firewall:Firewall");
  expect(rules.map(({ name }) => name).sort()).toEqual(["board-closed", "board-tunnel"]);
  const account = "test-board-1a2b3c4d@my-project.iam.gserviceaccount.com";
  const common = { project: "my-project", network: "n", direction: "INGRESS", targetServiceAccounts: [account] };
  const [tunnel, closed] = [named("board-tunnel"), named("board-closed")];
  expect(tunnel).toEqual({
    ...{ ...common, description: "oneoff/test board: tunnels of Identity-Aware Proxy", priority: 800 },
    ...{ sourceRanges: ["35.235.240.0/20"], allows: [{ protocol: "tcp", ports: ["8765"] }] },
  });
  expect(closed).toEqual({
    ...{ ...common, description: "oneoff/test board: nothing else", priority: 900 },
    ...{ sourceRanges: ["0.0.0.0/0"], denies: [{ protocol: "all" }] },
  });
});

test("it may query, read what it shows and what it runs, and write its log", async () => {
  await make();
  const member = "serviceAccount:test-board-1a2b3c4d@my-project.iam.gserviceaccount.com";
  const grants = ours().filter(({ inputs }) => inputs.member === member);
  expect(grants.map(({ inputs }) => inputs.role).sort()).toEqual([
    "roles/bigquery.dataViewer",
    "roles/bigquery.jobUser",
    "roles/logging.logWriter",
    ...Array(3).fill("roles/storage.legacyBucketReader"),
    ...Array(3).fill("roles/storage.objectViewer"),
  ]);
  const below = grants
    .map(({ inputs }) => (inputs.condition as { expression: string } | undefined)?.expression)
    .filter((text) => text !== undefined)
    .flatMap((text) => [...text.matchAll(/the-lake\/objects\/([^"]*)\/"/g)].map(([, prefix]) => prefix));
  expect(below.sort()).toEqual(
    ["_dashboard/board", "_loads", "_logs", "_runs", ...job.tables.map(({ name }) => name)].sort(),
  );
  expect(named("board-account")).toMatchObject({ displayName: "oneoff/test board", accountId: "test-board-1a2b3c4d" });
});

describe("the release", () => {
  const objects = () => ours().filter(({ type, name }) => type.endsWith("BucketObject") && name.startsWith("board-"));

  test("it is under the digest of all of it, which is told last", async () => {
    await make();
    const digest = content("board-current");
    expect(digest).toMatch(/^[0-9a-f]{16}$/);
    const page = PAGE.map((file) => `page/${file}`);
    expect(
      objects()
        .map(({ inputs }) => String(inputs.name))
        .sort(),
    ).toEqual(
      [
        "_dashboard/board/current",
        ...["config.json", "index.mjs", ...page].map((file) => `_dashboard/board/${digest}/${file}`),
      ].sort(),
    );
    expect(objects().map(({ inputs }) => inputs.bucket)).toEqual(objects().map(() => "the-lake"));
    const order = resources.map(({ name }) => name);
    expect(order.indexOf("board-current")).toBeGreaterThan(order.indexOf("board-instance"));
    expect(order.indexOf("board-instance")).toBeGreaterThan(order.indexOf("board-config"));
  });

  test("the server takes its configuration", async () => {
    await make({ dailyScan: "2 GB" });
    const config = parseConfig(content("board-config"), "config.json");
    expect(config).toMatchObject({ port: 8765, job: { name: "xo" } });
    expect(config.engine).toEqual({
      ...{ kind: "bigquery", project: "my-project", location: "europe-west1", lake: "gs://the-lake" },
      dataset: named("lake-dataset").datasetId,
      dailyScanBytes: 2 * 2 ** 30,
      queryLimitBytes: 2 ** 30,
    });
  });

  test("another configuration is another release", async () => {
    await make();
    const first = content("board-current");
    resources.length = 0;
    await make();
    expect(content("board-current")).toBe(first);
    resources.length = 0;
    await make({ dailyScan: "2 GB" });
    expect(content("board-current")).not.toBe(first);
  });
});

test("shows the lake's panels, or some of them", async () => {
  const shown = async (args: Partial<BigQueryDashboardArgs>) => {
    resources.length = 0;
    await make(args);
    return JSON.parse(content("board-config")).job.panels;
  };
  expect(await shown({ job: undefined })).toEqual(job.panels);
  expect(await shown({ job: structuredClone(job) })).toEqual(job.panels);
  expect(await shown({ job: { ...job, panels: job.panels.slice(1) } })).toEqual(job.panels.slice(1));
});

describe("what is refused, before anything is made", () => {
  const network = { network: "n", subnetwork: "s" };
  test.each<[string, Partial<BigQueryDashboardArgs>, string]>([
    [
      "for ever",
      { lifetime: { deadline: "91 days" } },
      'deadline is "91 days" (91 d): expected something from "1 hour" to "90 days"',
    ],
    ["for a moment", { lifetime: { deadline: "59 minutes" } }, 'deadline is "59 minutes" (59 min): expected something'],
    ["an unknown machine", { machineType: "e2-huge" }, 'machine type is "e2-huge": its price is not known'],
    [
      "a machine with other disks",
      { machineType: "n4-standard-2" },
      'machineType is "n4-standard-2": the dashboard\'s disk and system are for families e2, n1, n2, n2d; the smallest will do, "e2-small"',
    ],
    [
      "a zone that is a region",
      { zone: "europe-west1" },
      'zone is "europe-west1": expected a zone of europe-west1, such as "europe-west1-b"',
    ],
    ["a zone elsewhere", { zone: "europe-west12-b" }, 'zone is "europe-west12-b": expected a zone of europe-west1,'],
    ["a zone of another region", { region: "us-central1", zone: "europe-west1-b" }, "expected a zone of us-central1"],
    ["no region", { region: "mars" }, 'region is "mars": expected a region, such as "europe-west1"'],
    ["an unknown region", { region: "mars-north1" }, 'region is "mars-north1": its prices are not known'],
    ["nothing to read", { dailyScan: "9 MB" }, 'dailyScan is "9 MB": BigQuery bills every query for "10 MB" at least'],
    ["no size", { dailyScan: "much" as never }, 'dailyScan is "much": expected a number and a unit'],
    ["half a network", { network: { ...network, subnetwork: "" } }, "network has a network and no subnetwork"],
    ["the other half", { network: { ...network, network: "" } }, "network has a subnetwork and no network"],
    ["too dear", { lifetime: { deadline: "7 days", maxCost: 1 } }, "maxCost is 1 USD and this can cost up to"],
    ["another job", { job: { ...job, name: "other" } }, 'job is "other" and lake is of job "xo": leave job out'],
    ["no job", { job: undefined, lake: {} as GcsLake }, "job is not set"],
    [
      "another panel",
      { job: { ...job, panels: job.panels.map((panel) => ({ ...panel, title: "Other" })) } },
      "is another: leave job out",
    ],
    ["an odd image", { image: "node --privileged" }, 'image is "node --privileged": expected'],
  ])("%s", async (_, args, message) => {
    let error: Error | undefined;
    await settle(() => {
      try {
        new BigQueryDashboard("refused", { job, lake: { job } as GcsLake, network, ...args });
      } catch (thrown) {
        error = thrown as Error;
      }
    });
    expect(error?.name).toBe("UsageError");
    expect(error?.message).toContain(message);
    expect(ours()).toEqual([]);
  });
});

test("the bill is the deadline of its machine, its disk as long as the stack stands, and the daily limit", () => {
  const lifetime = { deadline: "7 days" } as const;
  const bill = BigQueryDashboard.bill({ lifetime });
  const machine = bill.find(({ what }) => what === "dashboard, e2-small");
  expect(machine?.usd).toBeCloseTo((7 * 24 + 0.25) * computePerHour("e2-small", "europe-west1"), 10);
  expect(ceiling(BigQueryDashboard.bill({ lifetime, dailyScan: "1 TB" }))).toBeGreaterThan(ceiling(bill) + 6 * 8);
  const stays = BigQueryDashboard.bill({ lifetime }, "30 days");
  const more = stays.filter(({ usd }, i) => usd !== bill[i]?.usd).map(({ what }) => what);
  expect(more).toEqual(["the dashboard's disk, until it is destroyed"]);
});
