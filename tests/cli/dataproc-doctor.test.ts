/** What `oneoff doctor` says of a Google Cloud project. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { stackFiles } from "../../cli/config.ts";
import { part } from "../../cli/gcp/dataproc/index.ts";
import { projectChecks } from "../../cli/gcp/index.ts";
import { stackContext } from "../../cli/stack.ts";
import { type FakeApi, type Route, refusal, startApi } from "../google/api.ts";
import { type StackInCloud, stackInCloud } from "./stack.ts";

const STACK = "dataproc";
const SERVICES = ["cloudresourcemanager", "serviceusage", "cloudbilling", "compute"];
const resource = (type: string, inputs: object = {}) => ({ type, name: "x", id: "x", inputs: { ...inputs } });
const RESOURCES = [
  resource("gcp:storage/bucket:Bucket"),
  resource("gcp:cloudrunv2/job:Job"),
  resource("gcp:compute/instance:Instance", { machineType: "e2-small", bootDisk: {} }),
];

let api: FakeApi;
let stack: StackInCloud;
const bin = mkdtempSync(join(tmpdir(), "oneoff-bin-"));
const before = { ...process.env };
const cwd = process.cwd();

beforeAll(async () => {
  api = await startApi();
  const env = {
    ...api.env,
    GOOGLE_CLOUD_PROJECT: undefined,
    ...Object.fromEntries(SERVICES.map((name) => [`CLOUDSDK_API_ENDPOINT_OVERRIDES_${name.toUpperCase()}`, api.url])),
  };
  const PATH = [bin, process.env.PATH].join(delimiter);
  stack = await stackInCloud(
    STACK,
    { "gcp:project": "test-project", "gcp:region": "europe-west1" },
    { ...env, PATH: [bin, join(cwd, "node_modules/.bin"), process.env.PATH].join(delimiter) },
    { cluster: "dataproc" },
  );
  Object.assign(process.env, env, { PATH });
  delete process.env.GOOGLE_CLOUD_PROJECT;
  process.chdir(stack.folder);
}, 60_000);
afterAll(() => {
  process.chdir(cwd);
  process.env = before;
  stack.remove();
  api.close();
  rmSync(bin, { recursive: true });
});
beforeEach(() => {
  writeFileSync(join(bin, "gcloud"), '#!/bin/sh\necho "Google Cloud SDK 541.0.0"\n', { mode: 0o755 });
});
afterEach(() => {
  api.asked.length = 0;
});

const quota = (metric: string, limit: number, usage = 0) => ({ metric, limit, usage });
/** A project that has all of it. */
const RIGHT: readonly Route[] = [
  [/:testIamPermissions$/, ({ body }) => ({ body: { permissions: (body as { permissions: string[] }).permissions } })],
  [/billingInfo$/, { body: { billingEnabled: true } }],
  [
    /services:batchGet\?(.*)/,
    (_, [, query]) => ({
      body: { services: new URLSearchParams(query).getAll("names").map((name) => ({ name, state: "ENABLED" })) },
    }),
  ],
  [
    /regions\/europe-west1$/,
    {
      body: {
        quotas: [
          quota("CPUS", 24, 20),
          quota("N2_CPUS", 500),
          quota("DISKS_TOTAL_GB", 4096),
          quota("SSD_TOTAL_GB", 500, 100),
        ],
      },
    },
  ],
  [/compute\/v1\/projects\/test-project$/, { body: { quotas: [quota("CPUS_ALL_REGIONS", 32)] } }],
];
const checks = async () =>
  Object.fromEntries(
    (await projectChecks(stackContext(STACK, stackFiles(STACK)), RESOURCES, [part])).map(({ name, ...check }) => [
      name,
      check,
    ]),
  );

test("a project that has all of it", async () => {
  api.routes = RIGHT;
  const found = await checks();
  expect(Object.entries(found).map(([name, { ok, detail }]) => `${ok} ${name}: ${detail}`)).toEqual([
    "true Google credentials: they lead to project test-project",
    "true Google project: test-project",
    "true Google region: europe-west1",
    "true billing: the project has a billing account",
    "true APIs: compute, iap, run, storage are enabled",
    "true permissions: all 4 that were asked for",
    "true quota CPUS: 2 vCPUs are needed, 24 are allowed in europe-west1, of which 20 are in use",
    "true quota CPUS_ALL_REGIONS: 2 vCPUs are needed, 32 are allowed in all regions",
    "true quota DISKS_TOTAL_GB: 10 GB of disks are needed, 4096 are allowed in europe-west1",
    "true gcloud: gcloud 541.0.0",
  ]);
});

test("what is missing has a cure", async () => {
  api.routes = [
    [
      /:testIamPermissions$/,
      ({ body }) => ({
        body: {
          permissions: (body as { permissions: string[] }).permissions.filter((one) => one !== "run.jobs.create"),
        },
      }),
    ],
    [/billingInfo$/, { body: { billingEnabled: false } }],
    [
      /services:batchGet/,
      { body: { services: [{ name: "projects/7/services/storage.googleapis.com", state: "ENABLED" }] } },
    ],
    [/regions\/europe-west1$/, { body: { quotas: [quota("CPUS", 24, 23)] } }],
    ...RIGHT,
  ];
  rmSync(join(bin, "gcloud"));
  const { PATH } = process.env;
  process.env.PATH = bin; // this machine may have one
  const found = await checks();
  process.env.PATH = PATH;
  expect(found.billing).toMatchObject({
    ok: false,
    cure: expect.stringContaining("gcloud billing projects link test-project"),
  });
  expect(found.APIs).toEqual({
    ok: false,
    detail: "compute, iap, run are not enabled",
    cure: "Enable what is missing: gcloud services enable compute.googleapis.com iap.googleapis.com run.googleapis.com --project test-project",
  });
  expect(found.permissions).toMatchObject({
    ok: false,
    detail: "you lack run.jobs.create",
    cure: expect.stringMatching(/roles\/resourcemanager\.projectIamAdmin, roles\/iam\.serviceAccountAdmin/),
  });
  expect(found["quota CPUS"]).toEqual({
    ok: false,
    detail: "2 vCPUs are needed, 24 are allowed in europe-west1, of which 23 are in use",
    cure: "Ask for more: https://console.cloud.google.com/iam-admin/quotas?project=test-project; or take fewer or smaller machines, or another region.",
  });
  expect(found.gcloud).toMatchObject({
    ok: false,
    later: true,
    cure: expect.stringContaining('Only "oneoff open" needs it'),
  });
});

test("what can't be told is left out or said, and spares the others", async () => {
  const off = refusal(
    403,
    "Service Usage API has not been used in project 7 before or it is disabled.",
    "PERMISSION_DENIED",
  );
  api.routes = [
    [/billingInfo$/, refusal(403, "The caller does not have permission", "PERMISSION_DENIED")],
    [/services:batchGet/, off],
    [/regions\/europe-west1$/, refusal(404, "Unknown region", "NOT_FOUND")],
    ...RIGHT,
  ];
  const found = await checks();
  expect(Object.keys(found)).not.toContain("billing");
  expect(found.APIs).toMatchObject({ ok: false, detail: "serviceusage, compute, iap, run, storage are not enabled" });
  expect(found.quotas).toMatchObject({ ok: false, detail: "Google says NOT_FOUND: Unknown region" });
  expect(found.permissions?.ok).toBe(true);
});

test("of an empty project one command that enables all is told", async () => {
  const off = (api: string) =>
    refusal(403, `${api} API has not been used in project 7 before or it is disabled.`, "PERMISSION_DENIED");
  api.routes = [
    [/v3\/projects/, off("Cloud Resource Manager")],
    [/services:batchGet/, { body: { services: [] } }],
    [/compute\/v1/, off("Compute Engine")],
    [/billingInfo$/, off("Cloud Billing")],
  ];
  const found = await checks();
  expect(Object.keys(found)).toEqual(["Google credentials", "Google project", "Google region", "APIs", "gcloud"]);
  expect(found["Google credentials"]?.ok).toBe(true);
  expect(found.APIs).toEqual({
    ok: false,
    detail: "cloudresourcemanager, compute, iap, run, storage are not enabled",
    cure: "Enable what is missing: gcloud services enable cloudresourcemanager.googleapis.com compute.googleapis.com iap.googleapis.com run.googleapis.com storage.googleapis.com --project test-project",
  });
});

test("credentials without a quota project say nothing of the project", async () => {
  const message =
    "Your application is authenticating by using local Application Default Credentials. The cloudresourcemanager.googleapis.com API requires a quota project, which is not set by default.";
  api.routes = [[/:testIamPermissions$/, refusal(403, message, "PERMISSION_DENIED")], ...RIGHT];
  const found = await checks();
  expect(Object.keys(found)).toEqual(["Google credentials", "Google project", "Google region", "gcloud"]);
  expect(found["Google credentials"]).toMatchObject({
    ok: false,
    detail: expect.stringContaining('"gcloud auth application-default set-quota-project test-project"'),
  });
});

test("without credentials or a project nothing else is asked", async () => {
  api.routes = [[/:testIamPermissions$/, refusal(401, "Request had invalid credentials", "UNAUTHENTICATED")]];
  expect(await checks()).toMatchObject({
    "Google credentials": { ok: false, detail: expect.stringContaining("gcloud auth application-default login") },
  });
  api.routes = [[/:testIamPermissions$/, { body: {} }]];
  const found = await checks();
  expect(Object.keys(found)).toEqual(["Google credentials", "Google project", "Google region", "gcloud"]);
  expect(found["Google credentials"]?.detail).toBe("they may not see project test-project, or there is none");

  api.asked.length = 0;
  writeFileSync(stack.settingsFile(STACK), "config: {}\n");
  try {
    const none = await checks();
    expect(Object.keys(none)).toEqual(["Google project", "Google region", "gcloud"]);
    expect(none["Google project"]?.detail).toBe(
      'stack dataproc has no project: set one with "npx pulumi config set gcp:project my-project --stack dataproc", or set GOOGLE_CLOUD_PROJECT',
    );
    expect(api.asked).toEqual([]);
  } finally {
    writeFileSync(stack.settingsFile(STACK), 'config:\n  gcp:project: "test-project"\n  gcp:region: "europe-west1"\n');
  }
});

test("the command: the program's own needs, and 1 as exit code when something is missing", async () => {
  api.routes = [[/regions\/europe-west1$/, { body: { quotas: [quota("N2_CPUS", 8), quota("CPUS", 8)] } }], ...RIGHT];
  const { code, output } = await stack.oneoff("doctor", STACK);
  expect(code).toBe(1);
  expect(output).toMatch(/^ok {7}settings {14}\d+ things cost money, at most \d+\.\d\d USD$/m);
  // A primary node and 2 workers of 4 vCPUs, and the dashboard's 2.
  expect(output).toMatch(/^missing {2}quota N2_CPUS {9}12 vCPUs are needed, 8 are allowed in europe-west1$/m);
  expect(output).toMatch(/^ok {7}quota CPUS {12}2 vCPUs are needed, 8 are allowed/m);
  expect(output).toMatch(/^ok {7}APIs {18}.*bigquery, .*dataproc, .*run, /m);
  expect(output).not.toMatch(/AWS/);
}, 60_000);
