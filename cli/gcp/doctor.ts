import { type Check, failedCheck, runCheck } from "../check.ts";
import type { RehearsedResource, StackContext } from "../platform.ts";
import { checkedByGoogle, checkedIfOn, Google, ServiceOff } from "./client.ts";
import { GET_GCLOUD, gcloudVersion } from "./gcloud.ts";
import { googleNeeds } from "./needs.ts";
import type { GcpPart } from "./part.ts";
import { projectOf, regionOf } from "./project.ts";
import { quotaChecks } from "./quotas.ts";

const CREDENTIALS = "Google credentials";

/** What a Google Cloud project must have for a stack. A check that can't be made for want of the one before is left out. */
export async function projectChecks(
  stack: StackContext,
  resources: readonly RehearsedResource[],
  parts: readonly GcpPart[],
): Promise<readonly Check[]> {
  const gcloud = gcloudCheck();
  const places = [placeCheck("project", () => projectOf(stack)), placeCheck("region", () => regionOf(stack))];
  const [project, region] = places.map(({ ok, detail }) => (ok ? detail : undefined));
  if (project === undefined) return [...places, await gcloud];
  const google = new Google(project);
  const needs = googleNeeds(resources, parts);
  let off: readonly string[] = [];
  const there = await checkedByGoogle(CREDENTIALS, () =>
    credentialsCheck(google, project).catch((error) => {
      if (!(error instanceof ServiceOff)) throw error;
      off = ["cloudresourcemanager"]; // in a new project all are: the check of the APIs tells them together
      return {
        name: CREDENTIALS,
        ok: true,
        detail: `Google takes them; what they may is not told while ${off} is off`,
      };
    }),
  );
  if (!there.ok) return [there, ...places, await gcloud]; // nothing else can be asked
  const apis = await checkedByGoogle("APIs", () =>
    apiCheck(google, project, [...new Set([...needs.apis, ...off])].sort()),
  );
  return [
    there,
    ...places,
    ...(await billingChecks(google, project)),
    apis,
    ...(await checkedIfOn("permissions", () => permissionCheck(google, project, needs.permissions))),
    ...(region === undefined ? [] : await quotaChecks(google, { project, region }, needs.machines)),
    await gcloud,
  ];
}

function placeCheck(what: "project" | "region", find: () => string): Check {
  try {
    return { name: `Google ${what}`, ok: true, detail: find() };
  } catch (error) {
    return failedCheck(`Google ${what}`, error as Error);
  }
}

/** Asks what everybody may who has anything to do with the project. */
async function credentialsCheck(google: Google, project: string): Promise<Check> {
  const held = await testPermissions(google, project, ["resourcemanager.projects.get"]);
  const name = CREDENTIALS;
  if (held.length > 0) return { name, ok: true, detail: `they lead to project ${project}` };
  return {
    name,
    ok: false,
    detail: `they may not see project ${project}, or there is none`,
    cure: 'Log in as who may: gcloud auth application-default login; "gcloud projects list" shows the projects.',
  };
}

async function testPermissions(
  google: Google,
  project: string,
  permissions: readonly string[],
): Promise<readonly string[]> {
  type Held = { readonly permissions?: readonly string[] };
  const held = await google.orUndefined<Held>("cloudresourcemanager", `v3/projects/${project}:testIamPermissions`, {
    method: "POST",
    body: { permissions },
  });
  return held?.permissions ?? [];
}

/** Who may not see it, and where that API is off, is not told. */
async function billingChecks(google: Google, project: string): Promise<readonly Check[]> {
  type Billing = { readonly billingEnabled?: boolean };
  const billing = await google
    .orUndefined<Billing>("cloudbilling", `v1/projects/${project}/billingInfo`)
    .catch(() => undefined);
  if (!billing) return [];
  const ok = billing.billingEnabled === true;
  return [
    {
      name: "billing",
      ok,
      detail: ok ? "the project has a billing account" : "the project has no billing account",
      cure: `Link one: gcloud billing projects link ${project} --billing-account ID`,
    },
  ];
}

/** How many names one request may have. */
const AT_A_TIME = 20;

async function apiCheck(google: Google, project: string, apis: readonly string[]): Promise<Check> {
  const off: string[] = [];
  for (let i = 0; i < apis.length; i += AT_A_TIME) {
    off.push(...(await apisOff(google, project, apis.slice(i, i + AT_A_TIME))));
  }
  return {
    name: "APIs",
    ok: off.length === 0,
    detail:
      off.length === 0
        ? `${apis.join(", ")} are enabled`
        : `${off.join(", ")} ${off.length === 1 ? "is" : "are"} not enabled`,
    cure: enable(off, project),
  };
}

const enable = (apis: readonly string[], project: string): string =>
  `Enable what is missing: gcloud services enable ${apis.map((api) => `${api}.googleapis.com`).join(" ")} --project ${project}`;

async function apisOff(google: Google, project: string, apis: readonly string[]): Promise<readonly string[]> {
  type Services = { readonly services?: readonly { readonly name: string; readonly state?: string }[] };
  const names = apis.map((api) => `names=projects/${project}/services/${api}.googleapis.com`).join("&");
  try {
    const path = `v1/projects/${project}/services:batchGet?${names}`;
    const { services = [] } = await google.request<Services>("serviceusage", path);
    const on = services.filter(({ state }) => state === "ENABLED").map(({ name }) => name);
    return apis.filter((api) => !on.some((name) => name.endsWith(`/${api}.googleapis.com`)));
  } catch (error) {
    if (error instanceof ServiceOff) return [...new Set(["serviceusage", ...apis])]; // enabling one more does no harm
    throw error;
  }
}

async function permissionCheck(google: Google, project: string, permissions: readonly string[]): Promise<Check> {
  const held = await testPermissions(google, project, permissions);
  const lacking = permissions.filter((permission) => !held.includes(permission));
  return {
    name: "permissions",
    ok: lacking.length === 0,
    detail: lacking.length === 0 ? `all ${permissions.length} that were asked for` : `you lack ${lacking.join(", ")}`,
    cure: `Ask the project's owner, for roles roles/editor, roles/resourcemanager.projectIamAdmin, roles/iam.serviceAccountAdmin and, for secrets, roles/secretmanager.admin, say: gcloud projects get-iam-policy ${project} shows who that is.`,
  };
}

async function gcloudCheck(): Promise<Check> {
  const name = "gcloud";
  const check = await runCheck(name, async () => {
    const version = await gcloudVersion();
    return {
      name,
      ok: version !== undefined,
      detail: version === undefined ? "gcloud is not on PATH" : `gcloud ${version}`,
      cure: `Only "oneoff open" needs it: ${GET_GCLOUD}`,
    };
  });
  return { ...check, later: true };
}
