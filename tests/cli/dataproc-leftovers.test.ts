/** What is left of a stack on Google Cloud, among things that are none of its own and must survive. */
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { labelValue } from "../../core/labels.ts";
import { type Answer, type Asked, type FakeApi, type Route, refusal, startApi } from "../google/api.ts";
import { type StackInCloud, stackInCloud, typed } from "./stack.ts";

const STACK = "dataproc";
const OWN = "oneoff__dataproc";
/** A stack whose name goes on where ours ends, one of another project, and what no stack has. */
const OTHERS = ["oneoff__dataproc-large", "other__dataproc", undefined];
const LAKE = "oneoff-dataproc-lake-0a1b2c3d";
const HEX = "1a2b3c4d";
const P = "projects/test-project";
const R = "europe-west1";
const SERVICES =
  "bigquery bigquerydatatransfer cloudresourcemanager compute dataproc iam run secretmanager storage".split(" ");

let api: FakeApi;
let stack: StackInCloud;

beforeAll(async () => {
  api = await startApi();
  const endpoints = SERVICES.map((name) => [`CLOUDSDK_API_ENDPOINT_OVERRIDES_${name.toUpperCase()}`, api.url]);
  stack = await stackInCloud(
    STACK,
    { "gcp:project": "test-project", "gcp:region": R },
    { ...api.env, ...Object.fromEntries(endpoints) },
    { cluster: "dataproc" },
  );
}, 60_000);
afterAll(() => {
  stack.remove();
  api.close();
});

/** A cloud with lists and things that can be deleted: by path, what is there. */
class Cloud {
  readonly things = new Map<string, object>();
  /** Paths that were deleted, in order. */
  readonly deleted: string[] = [];
  policy: { etag: string; bindings: { role: string; members: string[] }[] } = { etag: "1", bindings: [] };

  /** Puts something into a list. */
  add(path: string, thing: object): void {
    this.things.set(path, { id: path.split("/").at(-1), ...thing });
  }

  list(folder: string, field: string): Answer {
    const found = [...this.things].filter(([path]) => path.slice(0, path.lastIndexOf("/")) === folder);
    return { body: { [field]: found.map(([, thing]) => thing) } };
  }

  remove(path: string): Answer {
    if (!this.things.delete(path)) return refusal(404, `Not found: ${path}`, "NOT_FOUND");
    this.deleted.push(path);
    // A cluster takes its machines along.
    const cluster = /\/clusters\/([^/]+)$/.exec(path)?.[1];
    if (cluster) this.things.delete(`${compute}/${zone}/instances/${cluster}-m`);
    const isCompute = path.startsWith("/compute/");
    return {
      body: isCompute
        ? { name: "op", status: "DONE" }
        : path.includes("/v1/b")
          ? {}
          : { name: `${P}/operations/op`, done: true },
    };
  }
}

let cloud: Cloud;
const region = `/v1/${P}/regions/${R}`;
const place = `/v1/${P}/locations/${R}`;
const compute = `/compute/v1/${P}`;
const zone = `zones/${R}-b`;

/** One of everything that a stack can leave. */
function make(owner: string | undefined): void {
  const labels = (more: object = {}) => (owner ? { "oneoff-stack": owner, ...more } : { team: "x" });
  const own = owner === OWN;
  const id = own ? "oneoff/dataproc" : (owner?.replace("__", "/") ?? "mine");
  const hex = own ? HEX : `${id.length.toString(16).padStart(8, "0")}`;
  const name = `${(owner ?? "mine").replace("__", "-")}-r1-${hex}`;
  const lake = own ? LAKE : `${name}-lake`;
  const marked = labels({ "oneoff-lake": lake });
  cloud.add(`${region}/clusters/${name}`, { clusterName: name, labels: marked, status: { state: "RUNNING" } });
  cloud.add(`${place}/batches/${name}`, {
    name: `${P}/locations/${R}/batches/${name}`,
    labels: marked,
    state: "RUNNING",
    operation: `${P}/regions/${R}/operations/batch-${name}`,
  });
  cloud.add(`${place}/batches/${name}-done`, { name: `${name}-done`, labels: marked, state: "SUCCEEDED" });
  cloud.add(`${region}/workflowTemplates/oneoff-${hex}`, {
    name: `${P}/regions/${R}/workflowTemplates/oneoff-${hex}`,
    labels: marked,
    createTime: "2026-01-02T03:04:05Z",
  });
  cloud.add(`${region}/autoscalingPolicies/oneoff-${hex}`, { id: `oneoff-${hex}` });
  cloud.add(`${region}/operations/flow-${hex}`, {
    name: `${P}/regions/${R}/operations/flow-${hex}`,
    metadata: {
      "@type": "type.googleapis.com/google.cloud.dataproc.v1.WorkflowMetadata",
      template: `${P}/regions/${R}/workflowTemplates/oneoff-${hex}`,
    },
  });
  cloud.add(`/v2/${P}/locations/${R}/jobs/oneoff-${hex}`, {
    name: `${P}/locations/${R}/jobs/oneoff-${hex}`,
    labels: marked,
  });
  const machine = (thing: string, more: object, extra: object = {}) => ({
    name: thing,
    labels: { ...labels(), ...more },
    ...extra,
  });
  const of = { "goog-dataproc-cluster-name": name };
  cloud.add(`${compute}/${zone}/instances/${name}-m`, machine(`${name}-m`, of));
  cloud.add(
    `${compute}/${zone}/instances/${name}-orphan`,
    machine(`${name}-orphan`, { "goog-dataproc-cluster-name": `gone-${hex}` }),
  );
  cloud.add(`${compute}/${zone}/instances/${name}-dashboard`, machine(`${name}-dashboard`, { "oneoff-lake": lake }));
  cloud.add(`${compute}/${zone}/disks/${name}-dashboard`, machine(`${name}-dashboard`, {}, { users: ["i"] }));
  cloud.add(`${compute}/${zone}/disks/${name}-spare`, machine(`${name}-spare`, {}));
  cloud.add(`/b/${lake}`, { name: lake, labels: labels({ "oneoff-removal": "delete" }) });
  const staging = own ? "oneoff-dataproc-lake-staging-0a1b2c3d" : `${lake}-staging`;
  cloud.add(`/b/${staging}`, { name: staging, labels: marked });
  const dataset = (own ? LAKE : `${name}_lake`).replaceAll("-", "_");
  cloud.add(`/bigquery/v2/${P}/datasets/${dataset}`, { datasetReference: { datasetId: dataset }, labels: marked });
  cloud.add(`${place}/transferConfigs/t-${hex}`, {
    name: `${P}/locations/${R}/transferConfigs/t-${hex}`,
    displayName: `${id} query points`,
  });
  cloud.add(`/v1/${P}/secrets/oneoff-password-${hex}`, {
    name: `${P}/secrets/oneoff-password-${hex}`,
    labels: marked,
  });
  const text = { description: `${id} network` };
  cloud.add(`${compute}/global/networks/net-${hex}`, { name: `net-${hex}`, ...text });
  cloud.add(`${compute}/regions/${R}/subnetworks/sub-${hex}`, { name: `sub-${hex}`, ...text });
  cloud.add(`${compute}/global/firewalls/fire-${hex}`, { name: `fire-${hex}`, ...text });
  const email = `cluster-nodes-${hex}@test-project.iam.gserviceaccount.com`;
  cloud.add(`/v1/${P}/serviceAccounts/${email}`, {
    name: `${P}/serviceAccounts/${email}`,
    email,
    displayName: `${id} cluster nodes`,
  });
  cloud.policy.bindings.push({
    role: "roles/dataproc.worker",
    members: [
      `serviceAccount:${email}`,
      `deleted:serviceAccount:cluster-old-${hex}@test-project.iam.gserviceaccount.com?uid=7`,
    ],
  });
}

const LISTS: readonly (readonly [path: string, field: string])[] = [
  [`${region}/clusters`, "clusters"],
  [`${place}/batches`, "batches"],
  [`${region}/workflowTemplates`, "templates"],
  [`${region}/autoscalingPolicies`, "policies"],
  [`${region}/operations`, "operations"],
  [`/v2/${P}/locations/${R}/jobs`, "jobs"],
  ["/b", "items"],
  [`/bigquery/v2/${P}/datasets`, "datasets"],
  [`${place}/transferConfigs`, "transferConfigs"],
  [`/v1/${P}/secrets`, "secrets"],
  [`${compute}/global/networks`, "items"],
  [`${compute}/regions/${R}/subnetworks`, "items"],
  [`${compute}/global/firewalls`, "items"],
  [`/v1/${P}/serviceAccounts`, "accounts"],
];

const bare = (path: string): string => path.replace(/\?.*$/, "").replace(/^\/storage\/v1/, "");

function routes(): readonly Route[] {
  return [
    [/:getIamPolicy$/, () => ({ body: cloud.policy })],
    [
      /:setIamPolicy$/,
      ({ body }) => {
        const { policy } = body as { policy: Cloud["policy"] };
        if (policy.etag !== cloud.policy.etag) return refusal(409, "There were concurrent policy changes", "ABORTED");
        cloud.policy = { ...policy, etag: `${Number(policy.etag) + 1}` };
        return { body: cloud.policy };
      },
    ],
    [
      /^POST .*\/operations\/(\S+):cancel$/,
      (_, [, name = ""]) => {
        if (name.startsWith("batch-")) {
          const path = `${place}/batches/${name.slice("batch-".length)}`;
          cloud.add(path, { ...cloud.things.get(path), state: "CANCELLED" });
        } else cloud.remove(`${region}/operations/${name}`);
        return { body: {} };
      },
    ],
    [
      /aggregated\/(\w+)/,
      (_, [, collection = ""]) => ({
        body: {
          items: {
            [zone]: cloud.list(`${compute}/${zone}/${collection}`, collection).body as object,
            "zones/us-west1-a": { [collection]: [{ name: "far", labels: { "oneoff-stack": OWN } }] },
          },
        },
      }),
    ],
    [/^GET .*\/b\/[^/]+\/o\?/, { body: { items: [] } }],
    [
      /^GET /,
      ({ path }: Asked) => {
        const list = LISTS.find(([folder]) => folder === bare(path));
        if (list) return cloud.list(...list);
        const thing = cloud.things.get(bare(path));
        return thing ? { body: thing } : refusal(404, "Not found", "NOT_FOUND");
      },
    ],
    [/^DELETE /, ({ path }: Asked) => cloud.remove(bare(path))],
  ];
}

beforeEach(() => {
  cloud = new Cloud();
  api.routes = routes();
  api.asked.length = 0;
});

const lines = (output: string) =>
  output
    .trim()
    .split("\n")
    .map((line) => line.replace(/ {2,}/g, "  "));

test("all that a stack can leave is found, and nothing of others", async () => {
  for (const owner of [OWN, ...OTHERS]) make(owner);
  const { code, output } = await stack.oneoff("leftovers", STACK);
  expect(code).toBe(1);
  expect(lines(output)).toEqual([
    "Cloud Run job  oneoff-1a2b3c4d",
    "Dataproc workflow  oneoff-1a2b3c4d",
    "Dataproc batch  oneoff-dataproc-r1-1a2b3c4d",
    "Dataproc cluster  oneoff-dataproc-r1-1a2b3c4d",
    "Compute instance  oneoff-dataproc-r1-1a2b3c4d-dashboard",
    "Compute instance  oneoff-dataproc-r1-1a2b3c4d-orphan",
    "disk  oneoff-dataproc-r1-1a2b3c4d-spare",
    "Dataproc template  oneoff-1a2b3c4d  since 2026-01-02 03:04:05 UTC",
    "Dataproc autoscaling policy  oneoff-1a2b3c4d",
    "scheduled query  oneoff/dataproc query points",
    "BigQuery dataset  oneoff_dataproc_lake_0a1b2c3d",
    "secret  oneoff-password-1a2b3c4d",
    "bucket  oneoff-dataproc-lake-0a1b2c3d",
    "bucket  oneoff-dataproc-lake-staging-0a1b2c3d",
    "firewall rule  fire-1a2b3c4d",
    "subnetwork  sub-1a2b3c4d",
    "VPC network  net-1a2b3c4d",
    "service account  cluster-nodes-1a2b3c4d@test-project.iam.gserviceaccount.com",
    "roles of a deleted account  cluster-old-1a2b3c4d@test-project.iam.gserviceaccount.com",
    '19 things are left of stack dataproc in project test-project, region europe-west1 (lake oneoff-dataproc-lake-0a1b2c3d); "npx --no oneoff leftovers dataproc --delete" removes them.',
  ]);
}, 60_000);

test("--delete removes what is left in an order that works, and nothing of others", async () => {
  for (const owner of OTHERS) make(owner);
  const others = [...cloud.things.keys()];
  const bindings = structuredClone(cloud.policy.bindings);
  make(OWN);
  const { code, output } = await stack.oneoff("leftovers", STACK, "--delete", "--yes", "--lake", `gs://${LAKE}`);
  expect(output).toContain("Nothing is left of stack dataproc in project test-project, region europe-west1.");
  expect(code).toBe(0);
  for (const path of others) expect([...cloud.things.keys()]).toContain(path);
  expect(cloud.policy.bindings).toEqual(bindings);
  const order = cloud.deleted.map((path) => path.replace(/^.*\/([\w]+)\/[^/]+$/, "$1"));
  expect(order.filter((kind, i) => kind !== order[i - 1])).toEqual([
    "jobs",
    "operations",
    "batches",
    "clusters",
    "instances",
    "disks",
    "workflowTemplates",
    "autoscalingPolicies",
    "transferConfigs",
    "datasets",
    "secrets",
    "b",
    "firewalls",
    "subnetworks",
    "networks",
    "serviceAccounts",
  ]);
  expect(api.asked.find(({ method, path }) => method === "DELETE" && path.includes("/datasets/"))?.path).toContain(
    "deleteContents=true",
  );
}, 60_000);

test("two people's stacks of one name are told apart by their lakes", async () => {
  make(OWN);
  cloud.add(`/b/${LAKE}2`, { name: `${LAKE}2`, labels: { "oneoff-stack": OWN, "oneoff-removal": "delete" } });
  const both = await stack.oneoff("leftovers", STACK, "--delete", "--yes");
  expect(both.code).toBe(2);
  expect(both.output).toContain(`Of lake ${LAKE}2:\nbucket `);
  const one = await stack.oneoff("leftovers", STACK, "--lake", `${LAKE}2`);
  expect(one.output).toMatch(
    /^Of lake oneoff-dataproc-lake-0a1b2c3d2:\nbucket +oneoff-dataproc-lake-0a1b2c3d2\n19 things are of another lake/,
  );
  expect(cloud.deleted).toEqual([]);
}, 60_000);

/** A machine of a cluster, as Dataproc labels it. */
const node = (name: string, cluster: string, labels: object = {}) =>
  cloud.add(`${compute}/${zone}/instances/${name}`, {
    name,
    labels: { "goog-dataproc-cluster-name": cluster, ...labels },
  });
const found = async () =>
  lines((await stack.oneoff("leftovers", STACK)).output)
    .slice(0, -1)
    .map((line) => line.replace(/ {2}since .*/, ""));

test("a name that a user chose leads to nothing of others", async () => {
  const date = "20261121";
  cloud.add(`/b/ann-results-${date}`, {
    name: `ann-results-${date}`,
    labels: { "oneoff-stack": OWN, "oneoff-removal": "delete" },
  });
  cloud.add(`${region}/clusters/oneoff-bob-${date}`, {
    clusterName: `oneoff-bob-${date}`,
    status: { state: "RUNNING" },
  });
  node("theirs", `oneoff-bob-${date}`);
  node("theirs-too", `bob-${date}`);
  node("gone", `oneoff-carl-${date}`);
  for (const id of [`bob-${date}`, `oneoff-${date}`]) cloud.add(`${region}/autoscalingPolicies/${id}`, { id });
  cloud.add(`${region}/operations/flow`, {
    name: `${P}/regions/${R}/operations/flow`,
    metadata: { "@type": "x/WorkflowMetadata", template: `${P}/regions/${R}/workflowTemplates/bob-${date}` },
  });
  const members = [`deleted:serviceAccount:bob-${date}@test-project.iam.gserviceaccount.com?uid=7`];
  cloud.policy.bindings.push({ role: "roles/editor", members });
  expect(await found()).toEqual([`bucket  ann-results-${date}`]);
}, 60_000);

test("digits of names that are always ours lead on, to names of ours alone and to no cluster that is there", async () => {
  cloud.add(`/v2/${P}/locations/${R}/jobs/oneoff-${HEX}`, {
    name: `${P}/locations/${R}/jobs/oneoff-${HEX}`,
    labels: { "oneoff-stack": OWN },
  });
  for (const state of ["RUNNING", "DELETING"]) {
    const clusterName = `oneoff-${state.toLowerCase()}-${HEX}`;
    const labels = state === "DELETING" ? { "oneoff-stack": OWN } : {};
    cloud.add(`${region}/clusters/${clusterName}`, { clusterName, labels, status: { state } });
    node(`of-${state.toLowerCase()}`, clusterName, labels);
  }
  node("lost", `oneoff-dataproc-r0-${HEX}`);
  node("lost-by-a-workflow", `oneoff-dataproc-r0-${HEX}-bpf3xvu5eqhya`);
  node("theirs", `bob-${HEX}`);
  for (const id of [`oneoff-${HEX}`, `bob-${HEX}`, "oneoff-dataproc-cluster-autoscaling-99999999"]) {
    cloud.add(`${region}/autoscalingPolicies/${id}`, { id });
  }
  expect(await found()).toEqual([
    `Cloud Run job  oneoff-${HEX}`,
    "Compute instance  lost",
    "Compute instance  lost-by-a-workflow",
    `Dataproc autoscaling policy  oneoff-${HEX}`,
    // Nothing of this component but its name is there: a stack "dataproc-cluster" could have named it so too.
    `Dataproc autoscaling policy  oneoff-dataproc-cluster-autoscaling-99999999  may be another stack's: its name alone tells; if it is yours: gcloud dataproc autoscaling-policies delete oneoff-dataproc-cluster-autoscaling-99999999 --region ${R} --project test-project`,
  ]);
}, 60_000);

test("a workflow of a template with a name of the user's own is told by that template", async () => {
  const template = `${P}/regions/${R}/workflowTemplates/my-flow`;
  cloud.add(`${region}/workflowTemplates/my-flow`, { name: template, labels: { "oneoff-stack": OWN } });
  const metadata = { "@type": "x/WorkflowMetadata", template };
  cloud.add(`${region}/operations/flow`, { name: `${P}/regions/${R}/operations/flow`, metadata });
  expect(await found()).toEqual(["Dataproc workflow  my-flow", "Dataproc template  my-flow"]);
}, 60_000);

test("a lake whose name is no label is one lake", async () => {
  const label = labelValue("my.lake");
  cloud.add("/b/my.lake", { name: "my.lake", labels: { "oneoff-stack": OWN, "oneoff-removal": "delete" } });
  cloud.add("/b/staging", { name: "staging", labels: { "oneoff-stack": OWN, "oneoff-lake": label } });
  const { output } = await stack.oneoff("leftovers", STACK, "--lake", "gs://my.lake");
  expect(output).toContain(
    "2 things are left of stack dataproc in project test-project, region europe-west1 (lake my.lake)",
  );
}, 60_000);

test("what names no lake may be another person's: it is removed when somebody says so", async () => {
  cloud.add(`${compute}/global/networks/net`, { name: "net", description: "oneoff/dataproc network" });
  const unsaid = await stack.oneoff("leftovers", STACK, "--delete", "--yes");
  expect(unsaid.code).toBe(2);
  expect(unsaid.output).toContain("--yes would not ask whether what names no lake is yours");
  expect(unsaid.output).toContain("say so by --lake none");
  make(OWN);
  const own = await stack.oneoff("leftovers", STACK, "--lake", "none");
  expect(lines(own.output)).toContain("VPC network  net");
  expect(own.output).not.toContain("Dataproc cluster");
  expect(cloud.deleted).toEqual([]);
  const asked = await typed(stack, ["leftovers", STACK, "--delete"], "n\n");
  expect(asked.output).toMatch(
    /Remove all 20, with all data in it\? That is \d+ of lake "oneoff-dataproc-lake-0a1b2c3d" and \d+ of no lake by name, and may be another person's with a stack of this name\. \(y\/N\)/,
  );
  expect(cloud.deleted).toEqual([]);
  const removed = await stack.oneoff("leftovers", STACK, "--delete", "--yes", "--lake", "none");
  expect(removed.output).toContain("VPC network net is removed.");
  expect(removed.output).not.toContain("bucket");
  expect(cloud.deleted).toContain(`${compute}/global/networks/net`);
}, 60_000);

const details = (consumer: string) => [
  {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: "SERVICE_DISABLED",
    domain: "googleapis.com",
    metadata: { service: "dataproc.googleapis.com", consumer: `projects/${consumer}` },
  },
];
const NUMBER: Route = [
  /^GET \/v3\/projects\/test-project$/,
  { body: { name: "projects/7", projectId: "test-project" } },
];

test.each([
  [
    "Your application is authenticating by using local Application Default Credentials. The dataproc.googleapis.com API requires a quota project, which is not set by default.",
    "764086051850",
    'the Google credentials have no quota project: "gcloud auth application-default set-quota-project test-project"',
  ],
  [
    "Cloud Dataproc API has not been used in project 764086051850 before or it is disabled.",
    "764086051850",
    'the Google credentials have no quota project: "gcloud auth application-default set-quota-project test-project"',
  ],
  [
    "Cloud Dataproc API has not been used in project 8 before or it is disabled.",
    "8",
    'Google counts the requests to project 8, not to test-project: "gcloud auth application-default set-quota-project test-project" changes that; with a service account\'s credentials, "gcloud services enable dataproc.googleapis.com --project 8" lets it ask',
  ],
])(
  "an API that is off elsewhere doesn't tell that there is nothing: %s",
  async (message, consumer, told) => {
    api.routes = [[/\/clusters/, refusal(403, message, "PERMISSION_DENIED", details(consumer))], NUMBER, ...routes()];
    const { code, output } = await stack.oneoff("leftovers", STACK);
    expect(code).toBe(2);
    expect(output).toContain(told);
    expect(output).not.toContain("Nothing");
  },
  60_000,
);

test("an API that is off in the project itself has nothing, and one that must answer has a cure", async () => {
  const off = (service: string) =>
    refusal(
      403,
      `${service} API has not been used in project 7 before or it is disabled.`,
      "PERMISSION_DENIED",
      details("7"),
    );
  api.routes = [[/\/clusters/, off("Dataproc")], NUMBER, ...routes()];
  const { code, output } = await stack.oneoff("leftovers", STACK);
  expect(output).toBe("Nothing is left of stack dataproc in project test-project, region europe-west1.\n");
  expect(code).toBe(0);
  api.routes = [[/:getIamPolicy/, off("Cloud Resource Manager")], NUMBER, ...routes()];
  expect((await stack.oneoff("leftovers", STACK)).output).toContain(
    '"gcloud services enable dataproc.googleapis.com --project test-project" does it',
  );
}, 60_000);

test("a lake that is kept is no leftover; an API that is off has nothing", async () => {
  cloud.add(`/b/${LAKE}`, { name: LAKE, labels: { "oneoff-stack": OWN, "oneoff-removal": "retain" } });
  const off = refusal(403, "X API has not been used in project 7 before or it is disabled.", "PERMISSION_DENIED");
  api.routes = [[/\/(transferConfigs|secrets|workflowTemplates|batches)|aggregated/, off], ...routes()];
  const { code, output } = await stack.oneoff("leftovers", STACK);
  expect(lines(output)).toEqual([
    `bucket  ${LAKE}  kept on purpose`,
    "Nothing else is left of stack dataproc in project test-project, region europe-west1.",
  ]);
  expect(code).toBe(0);
}, 60_000);

test("what can't be removed is said, with Google's reason", async () => {
  cloud.add(`${region}/clusters/c-${HEX}`, { clusterName: `c-${HEX}`, labels: { "oneoff-stack": OWN } });
  const operation = { name: `${P}/regions/${R}/operations/op`, done: true, error: { code: 9, message: "It is held." } };
  api.routes = [[/^DELETE .*\/clusters\//, { body: operation }], ...routes()];
  const { code, output } = await stack.oneoff("leftovers", STACK, "--delete", "--yes", "--lake", "none");
  expect(code).toBe(1);
  expect(output).toContain(`Dataproc cluster c-${HEX} can't be removed: It is held.\n`);
  expect(output).toContain("1 could not be removed.");
}, 60_000);

test("a program of the user's own is looked for where its settings say", async () => {
  make(OWN);
  writeFileSync(`${stack.folder}/Pulumi.yaml`, "name: oneoff\nruntime: nodejs\nstackConfigDir: stacks\n");
  const { output } = await stack.oneoff("leftovers", STACK);
  expect(output).toContain("19 things are left of stack dataproc");
}, 60_000);
