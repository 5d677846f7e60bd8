import { AT_ONCE, copyFile, eachOf } from "./copy.ts";
import { nodeEnvironment } from "./markers.ts";
import { chooseFile, lister } from "./package-index.ts";
import { type Pin, readRequirements } from "./requirements.ts";
import type { WheelStore } from "./store.ts";

/** What is to be staged. */
export interface Staging {
  /** Prefixes of the lake that hold a requirements.txt. */
  readonly wheels: readonly string[];
  /** What the wheels are for. Python is 3.11. */
  readonly architecture: "arm64" | "x86_64";
  /** A simple index such as `https://pypi.org/simple`. */
  readonly packageIndex: string;
}

/** A wheel for a prefix of the lake. */
interface Wheel {
  readonly prefix: string;
  readonly pin: Pin;
}

/**
 * Puts the wheels that the requirements.txt of each prefix names beside it, so that the nodes download nothing from
 * elsewhere. What is there already stays. Their hashes are checked on the way.
 *
 * @returns the keys of all of them, sorted.
 * @throws Error that names the package when one can't be had.
 */
export async function stageWheels(
  store: WheelStore,
  { wheels, architecture, packageIndex }: Staging,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const environment = nodeEnvironment(architecture);
  const wanted: Wheel[] = [];
  for (const prefix of wheels.map((path) => path.replace(/\/+$/, ""))) {
    const text = await store.readText(`${prefix}/requirements.txt`);
    wanted.push(...readRequirements(text, environment).map((pin) => ({ prefix, pin })));
  }
  const files = lister(packageIndex, signal);
  const keys: string[] = [];
  await eachOf(wanted, AT_ONCE, async ({ prefix, pin }) => {
    const file = chooseFile(await files(pin.name), pin, architecture);
    const key = `${prefix}/${file.name}`;
    if (!(await store.exists(key)))
      await copyFile(store, key, { ...file, hashes: pin.hashes, lock: "requirements.txt" }, signal);
    keys.push(key);
  });
  return keys.sort();
}
