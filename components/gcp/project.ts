import * as pulumi from "@pulumi/pulumi";
import { arg, invalid, quote, refusal, UsageError } from "../../core/errors.ts";
import { stackId } from "../common/naming.ts";

/** The first that is set, in the order in which the provider looks; gcloud's own come last. */
const PROJECT = ["GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"];
const REGION = ["GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"];

/**
 * Id of the project in which a stack makes its resources.
 *
 * @throws UsageError when Pulumi isn't told of one, neither by the stack's settings nor by the environment, and when it
 * is no id: a project's name and number are refused.
 */
export function googleProject(): string {
  const [setting, project] = given("project", PROJECT) ?? [];
  if (!project) {
    throw new UsageError("there is no project: pulumi config set gcp:project my-project, or set GOOGLE_CLOUD_PROJECT");
  }
  return checkProject(setting ?? "project", project);
}

/** @throws UsageError when it isn't a project's id by its form. */
export function checkProject(setting: string, project: string): string {
  // Of those, ids of a domain's projects ("example.com:my-project") are legacy and have no place in an e-mail address.
  if (!/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(project)) {
    throw invalid(
      setting,
      project,
      'expected a project\'s id, 6 to 30 small letters, digits and dashes, such as "my-project"; "gcloud projects list" shows them',
    );
  }
  return project;
}

/** @throws UsageError when Pulumi isn't told of a region, and when it is none by its form: "europe-west1-b" is a zone. */
export function googleRegion(): string {
  const [setting, region] = given("region", REGION) ?? [];
  if (!region) {
    throw new UsageError("there is no region: pulumi config set gcp:region europe-west1, or set GOOGLE_REGION");
  }
  return checkRegion(setting ?? "region", region);
}

/** @throws UsageError when it isn't a region by its form. */
export function checkRegion(setting: string, region: string): string {
  if (/^[a-z]+-[a-z]+[0-9]+$/.test(region)) return region;
  const cure = /^[a-z]+-[a-z]+[0-9]+-[a-z]$/.test(region) ? `; ${quote(region.slice(0, -2))} is this zone's` : "";
  throw invalid(setting, region, `expected a region, such as "europe-west1"${cure}`);
}

/** What is set, with what sets it. */
function given(key: "project" | "region", variables: readonly string[]): readonly [string, string] | undefined {
  const configured = new pulumi.Config("gcp").get(key);
  if (configured) return [`gcp:${key}`, configured];
  for (const variable of variables) {
    const value = process.env[variable];
    if (value) return [variable, value];
  }
  return undefined;
}

/**
 * Id of a service account, which is a name in all of a project: 6 to 30 small letters, digits and dashes.
 *
 * @param base what it is for, such as "cluster"; cut where it is too long.
 * @param hex makes it unique; at least 5 characters and at most 16.
 */
export const serviceAccountId = (base: string, hex: pulumi.Input<string>): pulumi.Output<string> =>
  pulumi.output(hex).apply((digits) => {
    const readable = base
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^[^a-z]+/, "")
      .slice(0, 29 - digits.length)
      .replace(/-+$/, "");
    return `${readable || "oneoff"}-${digits}`;
  });

/** Of a service account; descriptions may be longer. */
const LONGEST_DISPLAY_NAME = 100;

/** What tells whose a resource is that takes no labels, for its description or display name. */
export const ownedBy = (about: string): string => `${stackId()} ${about}`.slice(0, LONGEST_DISPLAY_NAME);

/** Kinds of IAM members that are people or programs which are known by name. */
const MEMBERS = ["user", "group", "serviceAccount", "domain"] as const;

/**
 * A member as IAM takes it.
 *
 * @param setting what to name in the error: the argument that was given.
 * @throws UsageError for one without its type, and for all of the internet.
 */
export function checkMember(setting: string, member: string): string {
  if (/^all(Authenticated)?Users$/.test(member)) {
    throw refusal`${arg(setting)} is ${quote(member)}, which is everybody: what a stack makes is closed by default; name people, groups or a domain`;
  }
  const [, kind, of = ""] = /^(\w+):(.+)$/.exec(member) ?? [];
  const isNamed = kind === "domain" ? /^[^\s@:]+\.[^\s@:]+$/ : /^[^\s@:]+@[^\s@:]+\.[^\s@:]+$/;
  if (MEMBERS.some((known) => known === kind) && isNamed.test(of)) return member;
  throw invalid(
    setting,
    member,
    'expected a member with its type, such as "user:ann@example.com", "group:team@example.com", "serviceAccount:name@my-project.iam.gserviceaccount.com" or "domain:example.com"',
  );
}
