import { instanceType } from "../components/aws/prices.ts";
import type { RehearsedResource } from "./rehearse.ts";

/** What a stack takes of an AWS account's quotas for standard instances, in vCPUs. */
export interface Vcpus {
  readonly onDemand: number;
  readonly spot: number;
}

/** Families that share one quota: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html */
const STANDARD = /^[acdhimrtz]\d/;

/** The vCPUs of the clusters and instances that a program asks for. A spot fleet that may fall back counts on both sides. */
export function vcpusOf(resources: readonly RehearsedResource[]): Vcpus {
  const parts = resources.flatMap(({ type, inputs }): readonly Vcpus[] => {
    if (type === "aws:ec2/instance:Instance") return [{ onDemand: vcpus([typeOf(inputs, resources)]), spot: 0 }];
    if (type === "aws:lambda/invocation:Invocation") return fleetsIn(inputs.input).map(ofFleet);
    return [];
  });
  const sum = (pick: (part: Vcpus) => number) => parts.reduce((total, part) => total + pick(part), 0);
  return { onDemand: sum((part) => part.onDemand), spot: sum((part) => part.spot) };
}

/** An instance's type is its own, or that of the launch template it is made by. */
function typeOf(
  { instanceType, launchTemplate }: RehearsedResource["inputs"],
  resources: readonly RehearsedResource[],
): string {
  if (typeof instanceType === "string") return instanceType;
  const template = resources.find(({ id }) => id === (launchTemplate as { readonly id?: unknown } | undefined)?.id);
  return String(template?.inputs.instanceType);
}

/** As in EMR's RunJobFlow. */
interface Fleet {
  readonly TargetOnDemandCapacity?: number;
  readonly TargetSpotCapacity?: number;
  readonly InstanceTypeConfigs?: readonly { readonly InstanceType?: string }[];
  readonly LaunchSpecifications?: { readonly SpotSpecification?: { readonly TimeoutAction?: string } };
}

function fleetsIn(input: unknown): readonly Fleet[] {
  try {
    return JSON.parse(String(input)).request?.Instances?.InstanceFleets ?? [];
  } catch {
    return []; // not a launch
  }
}

function ofFleet(fleet: Fleet): Vcpus {
  const each = vcpus(fleet.InstanceTypeConfigs?.map(({ InstanceType }) => String(InstanceType)) ?? []);
  const spot = each * (fleet.TargetSpotCapacity ?? 0);
  const fallsBack = fleet.LaunchSpecifications?.SpotSpecification?.TimeoutAction === "SWITCH_TO_ON_DEMAND";
  return { onDemand: each * (fleet.TargetOnDemandCapacity ?? 0) + (fallsBack ? spot : 0), spot };
}

/** Of the largest of some types. */
const vcpus = (types: readonly string[]): number =>
  Math.max(0, ...types.filter((type) => STANDARD.test(type)).map((type) => instanceType(type).vcpus));
