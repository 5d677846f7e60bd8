import { normalize } from "./requirements.ts";

/** CPython of the nodes, as a minor version of 3. */
const MINOR = 11;
/** glibc 2.34 of Amazon Linux 2023, as a minor version of 2; Dataproc's Debian 12 has 2.36. */
const GLIBC = 34;
const LEGACY: Readonly<Record<string, number>> = { manylinux1: 5, manylinux2010: 12, manylinux2014: 17 };

/**
 * How well a wheel fits the nodes, by its file name: the higher the better, undefined when it doesn't fit.
 * The order is pip's: made for this Python before the stable ABI before pure Python; then the newest glibc.
 */
export function fitness(file: string, name: string, architecture: "arm64" | "x86_64"): number | undefined {
  const parts = /^([^-]+)-([^-]+)(?:-(\d)[^-]*)?-([^-]+)-([^-]+)-([^-]+)\.whl$/.exec(file);
  if (!parts || normalize(parts[1] as string) !== name) return undefined;
  const [pythons, abis, platforms] = parts.slice(4).map((tags) => tags.split(".")) as [string[], string[], string[]];
  const python = best(pythons.flatMap((one) => abis.map((abi) => pythonFitness(one, abi))));
  const platform = best(platforms.map((one) => platformFitness(one, architecture === "arm64" ? "aarch64" : "x86_64")));
  return python === undefined || platform === undefined ? undefined : python * 100 + platform;
}

function best(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}

function pythonFitness(python: string, abi: string): number | undefined {
  const cpython = minor(/^cp3(\d+)$/, python);
  if (cpython === MINOR && abi === `cp3${MINOR}`) return 100;
  if (cpython !== undefined && cpython <= MINOR && abi === "abi3") return 60 + cpython;
  if (cpython === MINOR && abi === "none") return 50;
  if (abi !== "none") return undefined;
  const pure = python === "py3" ? 0 : minor(/^py3(\d+)$/, python);
  return pure !== undefined && pure <= MINOR ? 20 + pure : undefined;
}

function platformFitness(platform: string, machine: string): number | undefined {
  if (platform === "any") return 0;
  const legacy = LEGACY[platform.slice(0, -machine.length - 1)];
  const glibc = platform.endsWith(`_${machine}`) ? (legacy ?? minor(/^manylinux_2_(\d+)_/, platform)) : undefined;
  if (glibc !== undefined) return glibc <= GLIBC ? 1 + glibc : undefined;
  return platform === `linux_${machine}` ? 1 : undefined;
}

function minor(pattern: RegExp, text: string): number | undefined {
  const digits = pattern.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
