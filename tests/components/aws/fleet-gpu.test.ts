import { expect, test } from "vitest";
import { GpuModel, gpuMachine, gpuMachines, gpuModels, workerTypes } from "../../../components/aws/fleet/gpu.ts";
import { GPU_IMAGE } from "../../../components/aws/fleet/image.ts";
import { ec2PerHour, instanceType, pricedRegions } from "../../../components/aws/prices.ts";
import { UsageError } from "../../../core/errors.ts";

const usEast = (models: readonly GpuModel[], given?: readonly string[]) => workerTypes(models, "us-east-1", given);

/** The whole message, from the first to the last letter. */
function refused(action: () => unknown, message: string): void {
  expect(action).toThrow(new UsageError(message));
  expect(action).toThrow(UsageError);
}

// DescribeInstanceTypes, by way of moto 5.2.5: GPUs, and memory of each in MiB.
test.each([
  ["g4dn.xlarge", "T4", 1, 16_384],
  ["g4dn.12xlarge", "T4", 4, 16_384],
  ["g5.4xlarge", "A10G", 1, 22_888],
  ["g5.12xlarge", "A10G", 4, 22_888],
  ["g6.2xlarge", "L4", 1, 22_888],
  ["g6.12xlarge", "L4", 4, 22_888],
  ["g6e.xlarge", "L40S", 1, 45_776],
  ["g6e.12xlarge", "L40S", 4, 45_776],
  ["g7.2xlarge", "RTXPRO4500", 1, 32_768],
  ["g7.12xlarge", "RTXPRO4500", 2, 32_768],
  ["g7e.4xlarge", "RTXPRO6000", 1, 98_304],
  ["g7e.12xlarge", "RTXPRO6000", 2, 98_304],
  ["p5.4xlarge", "H100", 1, 81_920],
])("%s has GPUs of %s", (type, model, gpus, gpuMebibytes) =>
  expect(gpuMachine(type)).toEqual({ type, model, gpus, gpuMebibytes }),
);

test.each(["m6i.large", "t4g.small", "r7i.4xlarge"])("%s has no GPU", (type) =>
  expect(gpuMachine(type)).toBeUndefined(),
);

test("each machine with a GPU is of a family that the AMI serves, and each model has a machine", () => {
  expect(gpuMachines).toHaveLength(4 + 4 + 4 + 4 + 3 + 3 + 1);
  for (const { type } of gpuMachines) {
    expect(GPU_IMAGE.families).toContain(type.split(".")[0]);
    expect(instanceType(type).architecture).toBe("x86_64");
  }
  expect(new Set(gpuMachines.map(({ model }) => model))).toEqual(new Set(Object.values(GpuModel)));
});

test("setting gpu is none, a model, or some", () => {
  expect(gpuModels("none")).toEqual([]);
  expect(gpuModels("L4")).toEqual(["L4"]);
  expect(gpuModels("L4, A10G,L4")).toEqual(["L4", "A10G"]);
});

const MODELS = 'expected "none" or models joined by commas, of T4, A10G, L4, L40S, RTXPRO4500, RTXPRO6000, H100';

test.each([
  ["L5", `gpu is "L5": ${MODELS}; did you mean "L4"?`],
  ["l4", `gpu is "l4": ${MODELS}; did you mean "L4"?`],
  ["L4,RTX PRO 6000", `gpu is "L4,RTX PRO 6000": ${MODELS}; did you mean "RTXPRO6000"?`],
  ["Gaudi", `gpu is "Gaudi": ${MODELS}`],
  ["none,L4", `gpu is "none,L4": ${MODELS}`],
  ["", `gpu is "": ${MODELS}`],
])("a model that nobody rents is refused: %j", (gpu, message) => refused(() => gpuModels(gpu), message));

test("the cheapest types with one GPU are taken, those of all models by price", () => {
  expect(usEast([])).toEqual(["m6i.large", "m7i.large"]);
  expect(usEast(["L4"])).toEqual(["g6.xlarge", "g6.2xlarge"]);
  expect(usEast(["L4", "T4"])).toEqual(["g4dn.xlarge", "g4dn.2xlarge", "g6.xlarge", "g6.2xlarge"]);
  expect(usEast(["RTXPRO6000"])).toEqual(["g7e.2xlarge", "g7e.4xlarge"]);
  expect(usEast(["H100"])).toEqual(["p5.4xlarge"]);
});

test("what is taken has a price in every region that has any of it", () => {
  let checked = 0;
  for (const region of pricedRegions) {
    for (const type of workerTypes([], region)) expect(ec2PerHour(type, region)).toBeGreaterThan(0);
    for (const model of Object.values(GpuModel)) {
      const has = gpuMachines.some((machine) => {
        try {
          return machine.model === model && machine.gpus === 1 && ec2PerHour(machine.type, region) > 0;
        } catch {
          return false;
        }
      });
      if (has) expect(workerTypes([model], region)[0]).toBeDefined();
      else
        expect(() => workerTypes([model], region)).toThrow(
          `it is not known to be offered in ${region}, but in us-east-1`,
        );
      checked += has ? 1 : 0;
    }
  }
  // T4 everywhere; A10G and L4 in 13 regions, L40S in 7, g7 in 3, g7e in 9, p5 in 8.
  expect(checked).toBe(16 + 13 + 13 + 7 + 3 + 9 + 8);
});

test("a model that the region doesn't offer is refused with the regions that do", () => {
  refused(
    () => workerTypes(["L4", "RTXPRO4500"], "eu-west-2"),
    'gpu is "RTXPRO4500": it is not known to be offered in eu-west-2, but in us-east-1, us-east-2, us-west-2',
  );
});

test("types that are named keep their order", () => {
  expect(usEast(["L4", "L40S"], ["g6e.xlarge", "g6.12xlarge"])).toEqual(["g6e.xlarge", "g6.12xlarge"]);
  expect(usEast([], ["m7i.xlarge", "m5.large"])).toEqual(["m7i.xlarge", "m5.large"]);
});

const SERVED =
  "the AMI's driver, NVIDIA's open one 595.91.07, doesn't serve it; take one of g4dn, g5, g6, g6e, g7, g7e, p5, such as \"g6.xlarge\"";

test.each<[readonly GpuModel[], readonly string[], string]>([
  [["T4"], ["g4dn.xlarge", "p3.2xlarge"], `workers.types has "p3.2xlarge": ${SERVED}`],
  [["T4"], ["g4ad.xlarge"], `workers.types has "g4ad.xlarge": ${SERVED}`],
  [["T4"], ["g5g.xlarge"], `workers.types has "g5g.xlarge": ${SERVED}`],
  [["T4"], ["trn1.2xlarge"], `workers.types has "trn1.2xlarge": ${SERVED}`],
  [
    ["H100"],
    ["p5.48xlarge"],
    'workers.types has "p5.48xlarge": its price is not known; take another, such as "p5.4xlarge"',
  ],
  [[], ["m6i.larg"], 'workers.types has "m6i.larg": its price is not known; take another, such as "m6i.large"'],
  [[], ["x9zz.huge"], 'workers.types has "x9zz.huge": its price is not known; take another'],
  [
    [],
    ["m6i.large", "m7g.large"],
    'workers.types has "m7g.large": it is arm64, and all nodes are x86_64, as those with GPUs are; take another, such as "m7i.large"',
  ],
  [
    [],
    ["g6.xlarge"],
    'workers.types has "g6.xlarge", whose GPU is L4, and gpu is "none": name other types, or set gpu to "L4"',
  ],
  [
    ["L4", "T4"],
    ["m6i.large"],
    'workers.types has "m6i.large", which has no GPU, and gpu is "L4,T4": name types that have one, or set gpu to "none"',
  ],
  [
    ["L4"],
    ["g5.xlarge"],
    'workers.types has "g5.xlarge", whose GPU is A10G, and gpu is "L4": name other types, or set gpu to "A10G"',
  ],
  [[], [], "workers.types has 0 types: expected 1 to 40; leave it out for the cheapest ones"],
  [[], Array(41).fill("m6i.large"), "workers.types has 41 types: expected 1 to 40; leave it out for the cheapest ones"],
  [[], ["m6i.large", "m6i.large"], 'workers.types has "m6i.large" twice: name each type once'],
])("types that don't go with %j are refused: %j", (models, types, message) =>
  refused(() => usEast(models, types), message),
);

test("a type that is named and isn't offered in the region is refused", () => {
  refused(
    () => workerTypes(["L40S"], "eu-west-1", ["g6e.xlarge"]),
    'workers.types has "g6e.xlarge": it is not known to be offered in eu-west-1; take another type or region',
  );
});
