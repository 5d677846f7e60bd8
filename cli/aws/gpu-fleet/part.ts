/** What a fleet takes of an account, known from what its program asks for. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import {
  DescribeAvailabilityZonesCommand,
  DescribeInstanceTypeOfferingsCommand,
  EC2Client,
  type InstanceTypeOffering,
} from "@aws-sdk/client-ec2";
import { FleetFallback } from "../../../components/aws/fleet/args.ts";
import { gpuMachine } from "../../../components/aws/fleet/gpu.ts";
import { workerNeeds } from "../../../components/aws/fleet/quotas.ts";
import { type Check, runCheck } from "../../check.ts";
import type { RehearsedResource } from "../../platform.ts";
import { connect, paginate } from "../client.ts";
import { accountPlan } from "../free-plan.ts";
import type { AwsPart } from "../part.ts";

export const part: AwsPart = {
  vcpus: () => ({ onDemand: 0, spot: 0 }), // machines that stand are instances of the program's
  quotas: (resources) => groupsOf(resources).flatMap((group) => workerNeeds(workersOf(group))),
  roles: (resources) =>
    groupsOf(resources).length === 0
      ? []
      : [
          {
            role: "AWSServiceRoleForAutoScaling",
            service: "autoscaling.amazonaws.com",
            name: "role for scaling",
            made: "The first Auto Scaling group makes it",
          },
        ],
  checks: (region, resources) =>
    groupsOf(resources).length === 0
      ? []
      : [
          ...distinct(groupsOf(resources)).map((group) => zonesCheck(region, group.types, zonesOf(group))),
          ...(groupsOf(resources).some(({ types }) => types.some(gpuMachine)) ? [planCheck(region)] : []),
          sshCheck(),
        ],
  leftovers: async () => [],
};

/** As an Auto Scaling group of several types is asked for. */
interface Group {
  readonly count: number;
  readonly types: readonly string[];
  readonly onDemand: number;
  readonly isSpot: boolean;
  readonly subnets: readonly string[];
}

interface Inputs {
  readonly maxSize?: number;
  readonly vpcZoneIdentifiers?: readonly string[];
  readonly mixedInstancesPolicy?: {
    readonly launchTemplate?: { readonly overrides?: readonly { readonly instanceType?: string }[] };
    readonly instancesDistribution?: {
      readonly onDemandBaseCapacity?: number;
      readonly onDemandPercentageAboveBaseCapacity?: number;
    };
  };
}

const groupsOf = (resources: readonly RehearsedResource[]): readonly Group[] =>
  resources
    .filter(({ type }) => type === "aws:autoscaling/group:Group")
    .map(({ inputs }) => {
      const { maxSize = 0, vpcZoneIdentifiers: subnets = [], mixedInstancesPolicy: mixed } = inputs as Inputs;
      const { onDemandBaseCapacity: onDemand = 0, onDemandPercentageAboveBaseCapacity: percent = 100 } =
        mixed?.instancesDistribution ?? {};
      const types = mixed?.launchTemplate?.overrides?.flatMap(({ instanceType }) => instanceType ?? []) ?? [];
      return { count: maxSize, types, onDemand, isSpot: percent < 100, subnets };
    });

/** Who comes on demand in the place of spot machines has a group of their own. */
const workersOf = ({ count, types, onDemand, isSpot }: Group) => ({
  count,
  types,
  ...(isSpot && { spot: { fallback: FleetFallback.fewer, onDemand, waitMinutes: 0 } }),
});

/** Of groups that want the same machines in the same zones one. */
const distinct = (groups: readonly Group[]): readonly Group[] => [
  ...new Map(groups.map((group) => [JSON.stringify([group.types, group.subnets]), group])).values(),
];

const zonesOf = ({ subnets }: Group): number => new Set(subnets).size;

/** Whether the zones that the fleet is to be in offer its workers' types. @param count how many zones those are. */
function zonesCheck(region: string, types: readonly string[], count: number): Promise<Check> {
  const name = "zones";
  return runCheck(name, async () => {
    const ec2 = connect(new EC2Client({ region }));
    const Filters = [{ Name: "opt-in-status", Values: ["opt-in-not-required"] }];
    const { AvailabilityZones = [] } = await ec2.send(new DescribeAvailabilityZonesCommand({ Filters }));
    // As the program takes them.
    const available = AvailabilityZones.filter(({ State }) => State === "available");
    const zones = available
      .flatMap(({ ZoneName }) => ZoneName ?? [])
      .sort()
      .slice(0, count);
    const offerings = await paginate<InstanceTypeOffering>(async (NextToken) => {
      const page = await ec2.send(
        new DescribeInstanceTypeOfferingsCommand({
          LocationType: "availability-zone",
          Filters: [{ Name: "instance-type", Values: [...types] }],
          NextToken,
        }),
      );
      return [page.InstanceTypeOfferings, page.NextToken];
    });
    const zonesWith = (type: string, among?: readonly string[]) =>
      offerings
        .filter(({ InstanceType, Location = "" }) => InstanceType === type && (!among || among.includes(Location)))
        .map(({ Location }) => Location as string)
        .sort();
    const told = types.map((type) => `${type} in ${zonesWith(type, zones).join(" and ") || "none"}`);
    const elsewhere = [...new Set(types.flatMap((type) => zonesWith(type)))].sort();
    return {
      name,
      ok: types.some((type) => zonesWith(type, zones).length > 0),
      detail: `of ${zones.join(" and ")}: ${told.join(", ")}`,
      cure:
        elsewhere.length > 0
          ? `They are offered in ${elsewhere.join(" and ")}: set oneoff:zones to more, or name other types or GPUs.`
          : `${region} doesn't offer them: name other types or GPUs, or take another region.`,
    };
  });
}

/** What the account may rent at all. Who may not ask is told so, and that is no obstacle. */
async function planCheck(region: string): Promise<Check> {
  const name = "account plan";
  const check = await runCheck(name, async () => {
    const plan = await accountPlan(region);
    return {
      name,
      ok: plan !== "FREE",
      detail: plan === "FREE" ? "the free plan, which rents no GPUs" : "not the free plan",
      cure: "Upgrade the account to the paid plan (console, Billing, Free tier), or take oneoff:gpu none.",
    };
  });
  return check.ok || check.cure ? check : { ...check, later: true };
}

async function sshCheck(): Promise<Check> {
  const name = "ssh";
  const version = await promisify(execFile)("ssh", ["-V"]).then(
    ({ stderr }) => stderr.trim(),
    () => undefined,
  );
  return {
    name,
    ok: version !== undefined,
    later: true,
    detail: version ?? "ssh is not on PATH",
    cure: 'Only "oneoff fleet ssh" and "oneoff open --ui" need it: install OpenSSH\'s client.',
  };
}
