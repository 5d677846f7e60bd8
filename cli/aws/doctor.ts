import { GetRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  GetAWSDefaultServiceQuotaCommand,
  GetServiceQuotaCommand,
  ServiceQuotasClient,
} from "@aws-sdk/client-service-quotas";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { type Check, failedCheck, runCheck } from "../check.ts";
import type { RehearsedResource, StackContext } from "../platform.ts";
import { connect, orUndefined } from "./client.ts";
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
  const roles = [...parts.flatMap((part) => part.roles(resources)), ...(needed.spot > 0 ? [SPOT] : [])];
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
    ...(await Promise.all([...quotaChecks(region, needed), ...roleChecks(region, roles)])),
    await plugin,
  ];
}

const QUOTAS = [
  { key: "onDemand", name: "on-demand quota", code: "L-1216C47A" },
  { key: "spot", name: "spot quota", code: "L-34B43A08" },
] as const;

function quotaChecks(region: string, needed: Vcpus): readonly Promise<Check>[] {
  return QUOTAS.filter(({ key }) => needed[key] > 0).map(({ key, name, code }) =>
    runCheck(name, async () => {
      const allowed = await quotaOf(region, code);
      if (allowed === undefined) {
        return { name, ok: false, detail: `not known in ${region}`, cure: `See quota ${code} of EC2 in the console.` };
      }
      return {
        name,
        ok: allowed >= needed[key],
        detail: `${needed[key]} vCPUs of standard instances are needed, ${allowed} are allowed in ${region} for all that runs there`,
        cure: `Ask for more: aws service-quotas request-service-quota-increase --region ${region} --service-code ec2 --quota-code ${code} --desired-value ${needed[key]}; or take fewer or smaller machines.`,
      };
    }),
  );
}

async function quotaOf(region: string, code: string): Promise<number | undefined> {
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
      cure: `Only "oneoff open" needs it: ${GET_PLUGIN}`,
    };
  });
  return { ...check, later: true };
}
