import { labelValue, stackLabel } from "../../../core/labels.ts";
import type { Leftover, Search, StackContext } from "../../platform.ts";
import { claimOf } from "../../removal.ts";
import { Google } from "../client.ts";
import type { GcpPart } from "../part.ts";
import { projectOf, regionOf } from "../project.ts";
import { machineLeftovers, networkLeftovers } from "./compute.ts";
import { dataLeftovers } from "./data.ts";
import { accountLeftovers, bindingLeftovers } from "./iam.ts";
import { accountDigits, digitsOf, Order, type Sweep } from "./sweep.ts";

/** @throws UsageError when nothing says which project and region. */
export const search = (stack: StackContext, parts: readonly GcpPart[]): Search => ({
  find: () => findLeftovers(stack, parts),
  where: ` in project ${projectOf(stack)}, region ${regionOf(stack)}`,
  shared: true,
});

/**
 * What is left of a stack in its project and region, found by its label, and where there are none by what descriptions and
 * digits of names tell: so of all stacks of that name in the project. Whose a thing is, its lake tells, where it names one.
 */
async function findLeftovers(stack: StackContext, parts: readonly GcpPart[]): Promise<readonly Leftover[]> {
  const { project: program, stack: own, others } = stack.files;
  const id = `${program}/${own}`;
  const project = projectOf(stack);
  const sweep: Sweep = {
    google: new Google(project),
    project,
    region: regionOf(stack),
    label: stackLabel(id),
    stack: id,
    claim: claimOf(
      id,
      others.map((other) => `${program}/${other}`),
      NAMES_END,
    ),
  };
  const known = (
    await Promise.all(
      [...parts.map((part) => part.leftovers), dataLeftovers, networkLeftovers, accountLeftovers].map((find) =>
        find(sweep),
      ),
    )
  ).flat();
  const digits = new Set(
    known
      .filter(({ order, unsure }) => TELLING.has(order) && !unsure)
      .map(digitsIn)
      .filter((found) => found !== undefined),
  );
  const more = await Promise.all([
    machineLeftovers(sweep, digits, parts),
    bindingLeftovers(sweep, digits),
    ...parts.map((part) => part.unlabelled(sweep, digits, known)),
  ]);
  return withLakes(sweep, [...known, ...more.flat()]).toSorted((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/** Where the library cuts names, the 8 digits apart: of a bucket, and of an autoscaling policy. */
const NAMES_END = [54, 41];

/** What the library always names itself, with random digits. */
const TELLING: ReadonlySet<number> = new Set([Order.orchestrators, Order.clusters, Order.templates, Order.accounts]);
/** What may have digits of those: no buckets and datasets, which a user may name. */
const TOLD: ReadonlySet<number> = new Set([...TELLING, Order.workflows, Order.policies, Order.secrets, Order.bindings]);

const digitsIn = ({ id, order }: Leftover): string | undefined => {
  if (!TOLD.has(order)) return undefined;
  return id.includes("@") ? accountDigits(id) : digitsOf(id);
};

/** What names no lake itself has that of another thing of its component. A label may have another form of a bucket's name. */
function withLakes({ claim }: Sweep, items: readonly Leftover[]): readonly Leftover[] {
  const buckets = items.filter(({ order }) => order === Order.buckets);
  const bucketOf = new Map(buckets.map(({ id }) => [labelValue(id), id]));
  const named = items.map((item) => (item.lake ? { ...item, lake: bucketOf.get(item.lake) ?? item.lake } : item));
  const lakes = new Map(
    named.flatMap((item) => {
      const digits = digitsIn(item) ?? (item.order === Order.buckets && claim(item.id) ? item.id.slice(-8) : undefined);
      return item.lake && digits ? [[digits, item.lake] as const] : [];
    }),
  );
  return named.map((item) => {
    const lake = item.lake ?? lakes.get(digitsIn(item) ?? "");
    return lake ? { ...item, lake } : item;
  });
}
