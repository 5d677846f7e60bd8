import type { RehearsedResource } from "../../platform.ts";
import { type ServiceRole, sumOf, type Vcpus, vcpusOfTypes } from "../needs.ts";
import type { AwsPart } from "../part.ts";
import { emrLeftovers } from "./leftovers.ts";

export const part: AwsPart = {
  vcpus: (resources) => sumOf(fleetsOf(resources).map(ofFleet)),
  roles: (resources) => (fleetsOf(resources).length > 0 ? [CLEANUP] : []),
  leftovers: emrLeftovers,
};

const CLEANUP: ServiceRole = {
  role: "AWSServiceRoleForEMRCleanup",
  service: "elasticmapreduce.amazonaws.com",
  name: "role for EMR",
  made: "The first cluster makes it",
};

/** As in EMR's RunJobFlow. */
interface Fleet {
  readonly TargetOnDemandCapacity?: number;
  readonly TargetSpotCapacity?: number;
  readonly InstanceTypeConfigs?: readonly { readonly InstanceType?: string }[];
  readonly LaunchSpecifications?: { readonly SpotSpecification?: { readonly TimeoutAction?: string } };
}

const fleetsOf = (resources: readonly RehearsedResource[]): readonly Fleet[] =>
  resources
    .filter(({ type }) => type === "aws:lambda/invocation:Invocation")
    .flatMap(({ inputs }) => fleetsIn(inputs.input));

function fleetsIn(input: unknown): readonly Fleet[] {
  try {
    return JSON.parse(String(input)).request?.Instances?.InstanceFleets ?? [];
  } catch {
    return []; // not a launch
  }
}

/** A spot fleet that may fall back counts on both sides. */
function ofFleet(fleet: Fleet): Vcpus {
  const each = vcpusOfTypes(fleet.InstanceTypeConfigs?.map(({ InstanceType }) => String(InstanceType)) ?? []);
  const spot = each * (fleet.TargetSpotCapacity ?? 0);
  const fallsBack = fleet.LaunchSpecifications?.SpotSpecification?.TimeoutAction === "SWITCH_TO_ON_DEMAND";
  return { onDemand: each * (fleet.TargetOnDemandCapacity ?? 0) + (fallsBack ? spot : 0), spot };
}
