import type { Leftover } from "../../platform.ts";
import type { Google } from "../client.ts";
import { accountDigits, Order, ownText, patiently, removeAndWait, type Sweep } from "./sweep.ts";

interface Account {
  readonly name: string;
  readonly email: string;
  readonly displayName?: string;
  readonly description?: string;
}

/** Service accounts, with what the project's policy lets them do. */
export async function accountLeftovers(sweep: Sweep): Promise<readonly Leftover[]> {
  const { google, project } = sweep;
  const accounts = await google.listIfOn<Account>("iam", `v1/projects/${project}/serviceAccounts`, "accounts");
  return accounts.flatMap(({ name, email, displayName, description }) => {
    const byHand = () => `gcloud iam service-accounts delete ${email} --project ${project}`;
    const own = ownText(sweep, displayName, byHand) ?? ownText(sweep, description, byHand);
    if (!own) return [];
    return {
      kind: "service account",
      id: email,
      ...own,
      order: Order.accounts,
      async remove() {
        await dropMembers(google, project, (member) => member === `serviceAccount:${email}`);
        await removeAndWait(google, "iam", "v1", name);
      },
    };
  });
}

/** What the project's policy still says of accounts that are no more. */
export async function bindingLeftovers(sweep: Sweep, digits: ReadonlySet<string>): Promise<readonly Leftover[]> {
  const { google, project } = sweep;
  const { bindings = [] } = await policyOf(google, project);
  const gone = new Set(
    bindings
      .flatMap(({ members = [] }) => members)
      .filter((member) => digits.has(accountDigits(/^deleted:serviceAccount:([^?]+)/.exec(member)?.[1] ?? "") ?? "")),
  );
  return [...gone].map((member) => ({
    kind: "roles of a deleted account",
    id: member.replace(/^deleted:serviceAccount:([^?]+).*$/, "$1"),
    order: Order.bindings,
    remove: () => dropMembers(google, project, (one) => one === member),
  }));
}

interface Policy {
  readonly version?: number;
  readonly etag?: string;
  readonly bindings?: readonly { readonly role: string; readonly members?: readonly string[] }[];
}

const policyOf = (google: Google, project: string): Promise<Policy> =>
  google.request("cloudresourcemanager", `v3/projects/${project}:getIamPolicy`, {
    method: "POST",
    body: { options: { requestedPolicyVersion: 3 } },
  });

/** There is one policy for all of the project: who changes it does so one after another. */
let turn: Promise<unknown> = Promise.resolve();

function dropMembers(google: Google, project: string, isIt: (member: string) => boolean): Promise<void> {
  const change = async () => {
    const policy = await policyOf(google, project);
    const { bindings = [] } = policy;
    const kept = bindings
      .map((binding) => ({ ...binding, members: (binding.members ?? []).filter((member) => !isIt(member)) }))
      .filter(({ members }) => members.length > 0);
    if (bindings.every(({ members = [] }) => !members.some(isIt))) return;
    await google.request("cloudresourcemanager", `v3/projects/${project}:setIamPolicy`, {
      method: "POST",
      body: { policy: { ...policy, bindings: kept } }, // with its etag: a change of somebody else's is not lost
    });
  };
  const done = turn.then(() => patiently(change));
  turn = done.catch(() => {});
  return done;
}
