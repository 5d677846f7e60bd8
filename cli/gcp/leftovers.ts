import { stackLabel } from "../../components/lifetime/labels.ts";
import { googleProjectOf, googleRegionOf, stackFiles } from "../config.ts";
import type { Leftover } from "../leftovers.ts";
import { ownName } from "../removal.ts";
import { Google } from "./client.ts";
import { machineLeftovers, networkLeftovers } from "./leftovers-compute.ts";
import { dataLeftovers } from "./leftovers-data.ts";
import { dataprocLeftovers, unlabelledLeftovers } from "./leftovers-dataproc.ts";
import { accountLeftovers, bindingLeftovers } from "./leftovers-iam.ts";
import { digitsOf, Order, type Sweep } from "./sweep.ts";

/**
 * What is left of a stack in its project and region, found by its label, and where there are none by what descriptions and
 * names tell: so of all stacks of that name in the project. Whose a thing is, its lake tells, where it names one.
 */
export async function findLeftovers(stack: string): Promise<readonly Leftover[]> {
  const { project: program, stack: own, others } = stackFiles(stack);
  const id = `${program}/${own}`;
  const sweep: Sweep = {
    google: new Google(),
    project: googleProjectOf(stack),
    region: googleRegionOf(stack),
    label: stackLabel(id),
    isOwnText: (text) => text === id || (text?.startsWith(`${id} `) ?? false),
    isOwnName: ownName(
      id,
      others.map((other) => `${program}/${other}`),
    ),
  };
  const known = (
    await Promise.all([dataprocLeftovers, dataLeftovers, networkLeftovers, accountLeftovers].map((find) => find(sweep)))
  ).flat();
  const clusters = new Set(known.filter(({ order }) => order === Order.clusters).map(({ id }) => id));
  const digits = new Set(known.map(digitsIn).filter((found) => found !== undefined));
  const more = await Promise.all([
    machineLeftovers(sweep, clusters, digits),
    unlabelledLeftovers(sweep, digits),
    bindingLeftovers(sweep, digits),
  ]);
  return withLakes([...known, ...more.flat()]).toSorted((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/** Of an account they are before the "@". */
const digitsIn = ({ id }: Leftover): string | undefined => digitsOf(id.split("@")[0] as string);

/** What names no lake itself has that of another thing of its component. */
function withLakes(items: readonly Leftover[]): readonly Leftover[] {
  const lakes = new Map(items.flatMap((item) => (item.lake ? [[digitsIn(item), item.lake] as const] : [])));
  return items.map((item) => {
    const digits = digitsIn(item);
    const lake = item.lake ?? (digits === undefined ? undefined : lakes.get(digits));
    return lake ? { ...item, lake } : item;
  });
}
