import { instanceType } from "../../components/aws/prices.ts";
import type { RehearsedResource } from "../platform.ts";

/** What a stack takes of an AWS account's quotas for standard instances, in vCPUs. */
export interface Vcpus {
  readonly onDemand: number;
  readonly spot: number;
}

/** A role that an account has once for all: AWS makes it on first use, and the stack's roles may have it made. */
export interface ServiceRole {
  readonly role: string;
  /** Such as "spot.amazonaws.com". */
  readonly service: string;
  /** Name of the check. */
  readonly name: string;
  /** What makes it. */
  readonly made: string;
}

/** Families that share one quota: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html */
const STANDARD = /^[acdhimrtz]\d/;

/** The vCPUs of the instances that a program asks for. */
export const vcpusOf = (resources: readonly RehearsedResource[]): Vcpus =>
  sumOf(
    resources
      .filter(({ type }) => type === "aws:ec2/instance:Instance")
      .map(({ inputs }) => ({ onDemand: vcpusOfTypes([typeOf(inputs, resources)]), spot: 0 })),
  );

export const sumOf = (parts: readonly Vcpus[]): Vcpus => ({
  onDemand: parts.reduce((total, part) => total + part.onDemand, 0),
  spot: parts.reduce((total, part) => total + part.spot, 0),
});

/** Of the largest of some types. */
export const vcpusOfTypes = (types: readonly string[]): number =>
  Math.max(0, ...types.filter((type) => STANDARD.test(type)).map((type) => instanceType(type).vcpus));

/** An instance's type is its own, or that of the launch template it is made by. */
function typeOf(
  { instanceType, launchTemplate }: RehearsedResource["inputs"],
  resources: readonly RehearsedResource[],
): string {
  if (typeof instanceType === "string") return instanceType;
  const template = resources.find(({ id }) => id === (launchTemplate as { readonly id?: unknown } | undefined)?.id);
  return String(template?.inputs.instanceType);
}
