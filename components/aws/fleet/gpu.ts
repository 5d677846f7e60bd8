import { arg, invalid, quote, refusal } from "../../../core/errors.ts";
import { nearest } from "../../../core/nearest.ts";
import { ec2PerHour, instanceType, isOffered, pricedRegions, pricedTypes } from "../prices.ts";
import { GPU_IMAGE } from "./image.ts";

/** GPUs that can be rented: the AMI's driver serves them, and their machines' prices are known. */
export const GpuModel = {
  T4: "T4",
  A10G: "A10G",
  L4: "L4",
  L40S: "L40S",
  RTXPRO4500: "RTXPRO4500",
  RTXPRO6000: "RTXPRO6000",
  H100: "H100",
} as const;
export type GpuModel = (typeof GpuModel)[keyof typeof GpuModel];

/** What an instance type has of GPUs. */
export interface GpuMachine {
  readonly type: string;
  readonly model: GpuModel;
  readonly gpus: number;
  /** Memory of each GPU. */
  readonly gpuMebibytes: number;
}

/** By family: the GPU, its memory, how many a 12xlarge has. (DescribeInstanceTypes, by way of moto 5.2.5.) */
const FAMILIES = new Map<string | undefined, readonly [model: GpuModel, mebibytes: number, of12xlarge: number]>([
  ["g4dn", ["T4", 16_384, 4]],
  ["g5", ["A10G", 22_888, 4]],
  ["g6", ["L4", 22_888, 4]],
  ["g6e", ["L40S", 45_776, 4]],
  ["g7", ["RTXPRO4500", 32_768, 2]],
  ["g7e", ["RTXPRO6000", 98_304, 2]],
  ["p5", ["H100", 81_920, 1]],
]);

/** What has no GPU will do, for workers without one: small, of Intel, offered everywhere. Cheapest first. */
const CPU_TYPES = ["m6i.large", "m7i.large"] as const;

/** How many types of a model are taken unless they are named. Each more makes a machine likelier to be had, and the ceiling higher. */
const TYPES_PER_MODEL = 2;

/** An Auto Scaling group takes no more. */
const MOST_TYPES = 40;

const familyOf = (type: string): string => type.split(".")[0] as string;

/** The GPUs of an instance type; undefined when it has none, or none of these. */
export function gpuMachine(type: string): GpuMachine | undefined {
  const found = FAMILIES.get(familyOf(type));
  if (found === undefined) return undefined;
  const [model, gpuMebibytes, of12xlarge] = found;
  return { type, model, gpus: type.endsWith(".12xlarge") ? of12xlarge : 1, gpuMebibytes };
}

/** Machines with a GPU whose prices are known. */
export const gpuMachines: readonly GpuMachine[] = pricedTypes.flatMap((type) => gpuMachine(type) ?? []);

/**
 * What setting `gpu` says.
 *
 * @param gpu "none", a model, or some joined by commas: "L4,A10G".
 * @returns each model once; none for "none".
 * @throws UsageError for a model that nobody rents.
 */
export function gpuModels(gpu: string): readonly GpuModel[] {
  if (gpu === "none") return [];
  const models = Object.values(GpuModel);
  const named = gpu.split(",").map((name) => name.trim());
  const unknown = named.find((name) => !(models as readonly string[]).includes(name));
  if (unknown === undefined) return [...new Set(named as GpuModel[])];
  const meant = nearest(unknown, models);
  const hint = meant === undefined ? "" : `; did you mean ${quote(meant)}?`;
  throw invalid("gpu", gpu, `expected "none" or models joined by commas, of ${models.join(", ")}${hint}`);
}

/**
 * Which instance types will do for workers, the first first.
 *
 * @param models what the GPU may be; none for workers without one.
 * @param given what the user names; without it the cheapest ones.
 * @throws UsageError for a type that doesn't go with the models, the AMI or the others, and where there is none in the region.
 */
export function workerTypes(models: readonly GpuModel[], region: string, given?: readonly string[]): readonly string[] {
  if (given !== undefined) return checkTypes(models, region, given);
  const types = models.length === 0 ? CPU_TYPES : models.flatMap((model) => cheapestTypes(model, region));
  return byPrice(types, region);
}

/** Cheapest first. */
const byPrice = (types: readonly string[], region: string): readonly string[] =>
  [...types].sort((a, b) => ec2PerHour(a, region) - ec2PerHour(b, region));

/** Those with one GPU: larger ones are for who names them. */
function cheapestTypes(model: GpuModel, region: string): readonly string[] {
  const types = gpuMachines.filter((machine) => machine.model === model && machine.gpus === 1).map(({ type }) => type);
  const offered = types.filter((type) => isOffered(type, region));
  if (offered.length > 0) return byPrice(offered, region).slice(0, TYPES_PER_MODEL);
  const elsewhere = pricedRegions.filter((other) => types.some((type) => isOffered(type, other)));
  throw invalid("gpu", model, `it is not known to be offered in ${region}, but in ${elsewhere.join(", ")}`);
}

function checkTypes(models: readonly GpuModel[], region: string, types: readonly string[]): readonly string[] {
  if (types.length === 0 || types.length > MOST_TYPES) {
    throw refusal`${arg("workers.types")} has ${types.length} types: expected 1 to ${MOST_TYPES}; leave it out for the cheapest ones`;
  }
  const twice = types.find((type, i) => types.indexOf(type) < i);
  if (twice !== undefined) throw refusal`${arg("workers.types")} has ${quote(twice)} twice: name each type once`;
  for (const type of types) {
    checkNode(type, region, (why) => refusal`${arg("workers.types")} has ${quote(type)}: ${why}`);
    checkGpu(models, type);
  }
  return types;
}

/**
 * Looks whether a node can be of such a type.
 *
 * @param refuse the error that says why not.
 * @throws what it returns when the driver doesn't serve the type's GPU, its price isn't known in the region, or it isn't x86_64.
 */
export function checkNode(type: string, region: string, refuse: (why: string) => Error): void {
  const family = familyOf(type);
  if (/^(g|p|trn|inf|dl|vt)\d/.test(family) && !(GPU_IMAGE.families as readonly string[]).includes(family)) {
    const served = [...FAMILIES.keys()].join(", ");
    throw refuse(
      `the AMI's driver, NVIDIA's open one ${GPU_IMAGE.driver}, doesn't serve it; take one of ${served}, such as "g6.xlarge"`,
    );
  }
  if (!pricedTypes.includes(type)) {
    const meant = nearest(type, pricedTypes);
    throw refuse(`its price is not known; take another${meant === undefined ? "" : `, such as ${quote(meant)}`}`);
  }
  if (instanceType(type).architecture !== "x86_64") {
    throw refuse('it is arm64, and all nodes are x86_64, as those with GPUs are; take another, such as "m7i.large"');
  }
  if (!isOffered(type, region)) throw refuse(`it is not known to be offered in ${region}; take another type or region`);
}

function checkGpu(models: readonly GpuModel[], type: string): void {
  const model = gpuMachine(type)?.model;
  if (model === undefined ? models.length === 0 : models.includes(model)) return;
  const gpu = models.length === 0 ? "none" : models.join(",");
  throw model === undefined
    ? refusal`${arg("workers.types")} has ${quote(type)}, which has no GPU, and ${arg("gpu")} is ${quote(gpu)}: name types that have one, or set gpu to "none"`
    : refusal`${arg("workers.types")} has ${quote(type)}, whose GPU is ${model}, and ${arg("gpu")} is ${quote(gpu)}: name other types, or set gpu to ${quote(model)}`;
}
