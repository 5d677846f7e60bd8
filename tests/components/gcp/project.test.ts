/** Where a stack is on Google Cloud, and who may reach it. */
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  checkMember,
  checkRegion,
  googleProject,
  googleRegion,
  ownedBy,
  serviceAccountId,
} from "../../../components/gcp/project.ts";
import { UsageError } from "../../../core/errors.ts";
import { record, result } from "../mocks.ts";

const PROJECT = ["GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"];
const REGION = ["GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"];

const kept = { ...process.env };
beforeAll(() => {
  record();
});
beforeEach(() => {
  for (const name of [...PROJECT, ...REGION]) delete process.env[name];
  pulumi.runtime.setAllConfig({});
});
afterEach(() => {
  process.env = { ...kept };
  pulumi.runtime.setAllConfig({});
});

const config = (key: string, value: string) => pulumi.runtime.setAllConfig({ [`gcp:${key}`]: value });

describe.each([
  {
    what: "project",
    of: googleProject,
    variables: PROJECT,
    one: "my-project",
    another: "other-project",
    missing: "there is no project: pulumi config set gcp:project my-project, or set GOOGLE_CLOUD_PROJECT",
  },
  {
    what: "region",
    of: googleRegion,
    variables: REGION,
    one: "europe-west1",
    another: "us-central1",
    missing: "there is no region: pulumi config set gcp:region europe-west1, or set GOOGLE_REGION",
  },
])("the $what", ({ what, of, variables, one, another, missing }) => {
  test("is what the stack sets, before any variable", () => {
    for (const variable of variables) process.env[variable] = another;
    config(what, one);
    expect(of()).toBe(one);
  });

  test("is what the variables say, in the provider's order", () => {
    for (const variable of [...variables].reverse()) {
      process.env[variable] = `${one}`;
      expect(of(), variable).toBe(one);
      process.env[variable] = another;
    }
    for (const variable of variables) {
      expect(of(), variable).toBe(another);
      delete process.env[variable];
    }
    expect(of).toThrow(missing);
  });

  test("must be there", () => {
    process.env[variables[0] as string] = "";
    expect(of).toThrow(new UsageError(missing));
  });
});

test.each(["My Project", "123456789012", "short", "ends-", "1-digit-first", "a".repeat(31), "example.com:my-project"])(
  "the project %j is refused",
  (project) => {
    config("project", project);
    expect(googleProject).toThrow(
      `gcp:project is ${JSON.stringify(project)}: expected a project's id, 6 to 30 small letters, digits and dashes, such as "my-project"; "gcloud projects list" shows them`,
    );
    pulumi.runtime.setAllConfig({});
    process.env.GCLOUD_PROJECT = project;
    expect(googleProject).toThrow(`GCLOUD_PROJECT is ${JSON.stringify(project)}: expected`);
  },
);

test.each(["us-central1", "northamerica-northeast2", "europe-west12", "me-central1"])("the region %s", (region) =>
  expect(checkRegion("region", region)).toBe(region),
);

test.each(["EU", "us", "europe-west", "europe_west1", "Europe-West1"])("the region %j is refused", (region) => {
  process.env.GOOGLE_REGION = region;
  expect(googleRegion).toThrow(
    new UsageError(`GOOGLE_REGION is ${JSON.stringify(region)}: expected a region, such as "europe-west1"`),
  );
});

test("a zone is no region, and its region is told", () =>
  expect(() => checkRegion("region", "europe-west1-b")).toThrow(
    new UsageError(
      'region is "europe-west1-b": expected a region, such as "europe-west1"; "europe-west1" is this zone\'s',
    ),
  ));

test.each([
  ["dashboard", "1a2b3c4d", "dashboard-1a2b3c4d"],
  ["dataproc-My Dashboard_of.mine", "1a2b3c4d", "dataproc-my-dashboard-1a2b3c4d"],
  ["dataproc-dashboard--------", "1a2b3c4d", "dataproc-dashboard-1a2b3c4d"],
  ["7 dwarfs", "1a2b3c4d", "dwarfs-1a2b3c4d"],
  ["1", "1a2b3", "oneoff-1a2b3"],
  ["x", "1a2b3c4d", "x-1a2b3c4d"],
  ["x".repeat(40), "1234567890abcdef", `${"x".repeat(13)}-1234567890abcdef`],
])("the service account of %j and %s is %s", async (base, hex, expected) => {
  const id = await result(serviceAccountId(base, pulumi.output(hex)));
  expect(id).toBe(expected);
  expect(id).toMatch(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/);
});

test("what takes no labels tells whose it is", () => expect(ownedBy("network")).toBe("oneoff/test network"));

test.each([
  "user:ann@example.com",
  "group:the-team@example.com",
  "serviceAccount:name@my-project.iam.gserviceaccount.com",
  "domain:example.com",
])("the member %s", (member) => expect(checkMember("viewers", member)).toBe(member));

test.each(["allUsers", "allAuthenticatedUsers"])("the member %s is refused: it is everybody", (member) =>
  expect(() => checkMember("viewers", member)).toThrow(
    new UsageError(
      `viewers is "${member}", which is everybody: what a stack makes is closed by default; name people, groups or a domain`,
    ),
  ),
);

test.each([
  "ann@example.com",
  "",
  "user:",
  "user:ann",
  "user:example.com",
  "user:ann@example",
  "user:ann @example.com",
  "domain:ann@example.com",
  "domain:example",
  "User:ann@example.com",
  "projectOwner:my-project",
  "deleted:user:ann@example.com?uid=1",
  "user:ann@example.com:x",
])("the member %j is refused: it has no type or no name", (member) =>
  expect(() => checkMember("viewers", member)).toThrow(
    new UsageError(
      `viewers is ${JSON.stringify(member)}: expected a member with its type, such as "user:ann@example.com", "group:team@example.com", "serviceAccount:name@my-project.iam.gserviceaccount.com" or "domain:example.com"`,
    ),
  ),
);
