import { DescribeInstancesCommand, EC2Client, type Instance } from "@aws-sdk/client-ec2";
import { GetRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  GetAWSDefaultServiceQuotaCommand,
  GetServiceQuotaCommand,
  ServiceQuotasClient,
} from "@aws-sdk/client-service-quotas";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { type QuotaNeed, quotaOf } from "../../components/aws/fleet/quotas.ts";
import { instanceType, pricedTypes } from "../../components/aws/prices.ts";
import { type Check, failedCheck, runCheck } from "../check.ts";
import type { RehearsedResource, StackContext } from "../platform.ts";
import { connect, orUndefined, paginate } from "./client.ts";
import { ownerIn } from "./leftovers/sweep.ts";
import { type ServiceRole, sumOf, type Vcpus, vcpusOf } from "./needs.ts";
import type { AwsPart } from "./part.ts";
import { regionOf } from "./region.ts";
import { GET_PLUGIN, pluginVersion } from "./session.ts";

/** What an AWS account must have for a stack. */
export async function accountChecks(
  stack: StackContext,
  resources: readonly RehearsedResource[],
  parts: readonly AwsPart[],
): Promise<readonly Check[]> {
  const needed = sumOf([vcpusOf(resources), ...parts.map((part) => part.vcpus(resources))]);
  const needs = needsOf(
    needed,
    parts.flatMap((part) => part.quotas?.(resources) ?? []),
  );
  const hasSpot = QUOTAS.some(({ code, name }) => name.startsWith("spot") && (needs.get(code) ?? 0) > 0);
  const roles = [...parts.flatMap((part) => part.roles(resources)), ...(hasSpot ? [SPOT] : [])];
  const plugin = pluginCheck();
  let region: string;
  try {
    region = regionOf(stack);
  } catch (error) {
    return [failedCheck("AWS region", error as Error), await plugin];
  }
  const account = await runCheck("AWS credentials", async () => {
    const { Account, Arn } = await connect(new STSClient({ region })).send(new GetCallerIdentityCommand({}));
    return { name: "AWS credentials", ok: true, detail: `account ${Account}, as ${Arn}` };
  });
  const regional: Check = { name: "AWS region", ok: true, detail: region };
  if (!account.ok) return [account, regional, await plugin]; // nothing else can be asked
  return [
    account,
    regional,
    ...(await Promise.all([
      ...quotaChecks(stack, region, needs),
      ...roleChecks(region, roles),
      ...parts.flatMap((part) => part.checks?.(region, resources) ?? []),
    ])),
    await plugin,
  ];
}

/** Quotas of EC2, in vCPUs, as checks call them. */
const QUOTAS = [
  { code: "L-1216C47A", name: "on-demand quota", what: "standard instances" },
  { code: "L-34B43A08", name: "spot quota", what: "standard instances" },
  { code: "L-DB2E81BA", name: "on-demand quota G", what: "instances of families G and VT" },
  { code: "L-3819A6DF", name: "spot quota G", what: "instances of families G and VT" },
  { code: "L-417A185B", name: "on-demand quota P", what: "instances of families P" },
  { code: "L-7212CCBC", name: "spot quota P", what: "instances of families P" },
] as const;

/** The vCPUs that are needed, by the code of the quota. */
function needsOf({ onDemand, spot }: Vcpus, more: readonly QuotaNeed[]): ReadonlyMap<string, number> {
  const needs = new Map<string, number>([
    [QUOTAS[0].code, onDemand],
    [QUOTAS[1].code, spot],
  ]);
  for (const { code, vcpus } of more) needs.set(code, (needs.get(code) ?? 0) + vcpus);
  return needs;
}

function quotaChecks(
  stack: StackContext,
  region: string,
  needs: ReadonlyMap<string, number>,
): readonly Promise<Check>[] {
  const asked = QUOTAS.filter(({ code }) => (needs.get(code) ?? 0) > 0);
  // Who may not see what runs is told of the rest.
  const used = asked.length === 0 ? undefined : usedBy(stack, region).catch(() => undefined);
  return asked.map(({ name, code, what }) =>
    runCheck(name, async () => {
      const needed = needs.get(code) ?? 0;
      const allowed = await allowedOf(region, code);
      if (allowed === undefined) {
        return { name, ok: false, detail: `not known in ${region}`, cure: `See quota ${code} of EC2 in the console.` };
      }
      const taken = (await used)?.get(code) ?? 0;
      const inUse = taken > 0 ? `, ${taken} are in use by other things` : "";
      const wanted = needed + taken;
      return {
        name,
        ok: allowed >= wanted,
        detail: `${needed} vCPUs of ${what} are needed${inUse}, ${allowed} are allowed in ${region} for all that runs there`,
        cure: `Ask for more: aws service-quotas request-service-quota-increase --region ${region} --service-code ec2 --quota-code ${code} --desired-value ${wanted}; or take fewer or smaller machines.`,
      };
    }),
  );
}

/** What runs in the region of others than the stack, in vCPUs by the code of its quota. */
async function usedBy({ files }: StackContext, region: string): Promise<ReadonlyMap<string, number>> {
  const ec2 = connect(new EC2Client({ region }));
  const Filters = [{ Name: "instance-state-name", Values: ["pending", "running"] }];
  const instances = await paginate<Instance>(async (NextToken) => {
    const page = await ec2.send(new DescribeInstancesCommand({ Filters, NextToken }));
    return [page.Reservations?.flatMap(({ Instances }) => Instances ?? []), page.NextToken];
  });
  const used = new Map<string, number>();
  for (const { InstanceType = "", InstanceLifecycle, CpuOptions, Tags } of instances) {
    const quota = quotaOf(InstanceType, InstanceLifecycle === "spot");
    if (quota === undefined || ownerIn(Tags) === `${files.project}/${files.stack}`) continue;
    const { CoreCount: cores, ThreadsPerCore: threads } = CpuOptions ?? {};
    const known = pricedTypes.includes(InstanceType) ? instanceType(InstanceType).vcpus : 0;
    const vcpus = cores && threads ? cores * threads : known;
    used.set(quota.code, (used.get(quota.code) ?? 0) + vcpus);
  }
  return used;
}

async function allowedOf(region: string, code: string): Promise<number | undefined> {
  const quotas = connect(new ServiceQuotasClient({ region }));
  const quota = { ServiceCode: "ec2", QuotaCode: code };
  const own = await orUndefined(quotas.send(new GetServiceQuotaCommand(quota)));
  if (own) return own.Quota?.Value;
  return (await orUndefined(quotas.send(new GetAWSDefaultServiceQuotaCommand(quota))))?.Quota?.Value;
}

const SPOT: ServiceRole = {
  role: "AWSServiceRoleForEC2Spot",
  service: "spot.amazonaws.com",
  name: "role for spot",
  made: "The first cluster with spot instances makes it",
};

function roleChecks(region: string, roles: readonly ServiceRole[]): readonly Promise<Check>[] {
  const iam = connect(new IAMClient({ region }));
  return roles.map(({ role, service, name, made }) =>
    runCheck(name, async () => {
      const found = await orUndefined(iam.send(new GetRoleCommand({ RoleName: role })));
      return {
        name,
        ok: found !== undefined,
        later: true,
        detail: found ? `service-linked role ${role}` : `no service-linked role ${role} yet`,
        cure: `${made}; if that is not allowed: aws iam create-service-linked-role --aws-service-name ${service}`,
      };
    }),
  );
}

async function pluginCheck(): Promise<Check> {
  const name = "session plugin";
  const check = await runCheck(name, async () => {
    const version = await pluginVersion();
    return {
      name,
      ok: version !== undefined,
      detail: version === undefined ? "session-manager-plugin is not on PATH" : `session-manager-plugin ${version}`,
      cure: `Only "oneoff open" and "oneoff fleet ssh" need it: ${GET_PLUGIN}`,
    };
  });
  return { ...check, later: true };
}
