import {
  DeleteInstanceProfileCommand,
  DeletePolicyCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  IAMClient,
  type InstanceProfile,
  ListAttachedRolePoliciesCommand,
  ListInstanceProfilesCommand,
  ListPoliciesCommand,
  ListRolePoliciesCommand,
  ListRolesCommand,
  RemoveRoleFromInstanceProfileCommand,
} from "@aws-sdk/client-iam";
import type { Leftover } from "../../platform.ts";
import { connect, paginate } from "../client.ts";
import { Order, type Sweep } from "./sweep.ts";

/** Roles, instance profiles and policies below the stack's own path. */
export async function iamLeftovers({ region, stack }: Sweep): Promise<readonly Leftover[]> {
  const iam = connect(new IAMClient({ region }));
  const PathPrefix = `/oneoff/${stack}/`;
  const [profiles, roles, policies] = await Promise.all([
    paginate(async (Marker) => {
      const page = await iam.send(new ListInstanceProfilesCommand({ PathPrefix, Marker }));
      return [page.InstanceProfiles, page.Marker];
    }),
    paginate(async (Marker) => {
      const page = await iam.send(new ListRolesCommand({ PathPrefix, Marker }));
      return [page.Roles, page.Marker];
    }),
    paginate(async (Marker) => {
      const page = await iam.send(new ListPoliciesCommand({ Scope: "Local", PathPrefix, Marker }));
      return [page.Policies, page.Marker];
    }),
  ]);
  const item = (kind: string, id: string, since: Date | undefined, order: number, remove: () => Promise<unknown>) => ({
    kind,
    id,
    ...(since && { since }),
    order,
    remove: async () => void (await remove()),
  });
  const isOwn = ({ Path }: { readonly Path?: string | undefined }) => Path?.startsWith(PathPrefix) ?? false;
  return [
    ...profiles
      .filter(isOwn)
      .map((profile) =>
        item("IAM instance profile", profile.InstanceProfileName as string, profile.CreateDate, Order.profiles, () =>
          removeProfile(iam, profile),
        ),
      ),
    ...roles
      .filter(isOwn)
      .map(({ RoleName, CreateDate }) =>
        item("IAM role", RoleName as string, CreateDate, Order.roles, () => removeRole(iam, RoleName as string)),
      ),
    ...policies
      .filter(isOwn)
      .map(({ Arn, CreateDate }) =>
        item("IAM policy", Arn as string, CreateDate, Order.policies, () =>
          iam.send(new DeletePolicyCommand({ PolicyArn: Arn })),
        ),
      ),
  ];
}

async function removeProfile(iam: IAMClient, { InstanceProfileName, Roles = [] }: InstanceProfile): Promise<void> {
  for (const { RoleName } of Roles) {
    await iam.send(new RemoveRoleFromInstanceProfileCommand({ InstanceProfileName, RoleName }));
  }
  await iam.send(new DeleteInstanceProfileCommand({ InstanceProfileName }));
}

async function removeRole(iam: IAMClient, RoleName: string): Promise<void> {
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
  for (const PolicyName of PolicyNames) await iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName }));
  const { AttachedPolicies = [] } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  for (const { PolicyArn } of AttachedPolicies) await iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn }));
  await iam.send(new DeleteRoleCommand({ RoleName }));
}
