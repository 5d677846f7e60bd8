import { quote, UsageError } from "../core/errors.ts";
import type { Fleet } from "./fleet.ts";
import * as all from "./kinds.ts";
import type { Attached, ClusterKind, Outputs, Platform, RehearsedResource, StackContext } from "./platform.ts";

export const kinds: readonly ClusterKind[] = Object.values(all);

export const platforms: readonly Platform[] = [...new Set(kinds.map(({ platform }) => platform))].sort((a, b) =>
  a.title < b.title ? -1 : 1,
);

/** Names that `--ui` takes; which of them a stack has depends on its kind of cluster. */
export const pageNames: readonly string[] = [...new Set(kinds.flatMap(({ pages }) => pages))];

/** @throws UsageError when the stack has no cluster of a known kind. */
export function kindOf({ name, outputs }: StackContext): ClusterKind {
  const kind = kinds.find((kind) => kind.name === outputs.cluster);
  if (kind) return kind;
  if (outputs.cluster === undefined) {
    throw new UsageError(
      `stack ${name} has no output "cluster", by which the commands know what it is: have its program export what outputs({ cluster, dashboard }) of pulumi-oneoff returns, by export default or, in CommonJS, module.exports =, then "npx pulumi up --stack ${name}"`,
    );
  }
  throw new UsageError(
    `stack ${name} has no cluster that is known here: its output "cluster" is ${quote(outputs.cluster)}; there are ${kinds.map(({ name }) => name).join(", ")}`,
  );
}

/** What `pulumi up` for another run and `pulumi destroy` need for a stack that is up. */
export const refreshFlags = ({ cluster, ...outputs }: Outputs): readonly string[] =>
  kinds.find(({ name }) => name === cluster)?.mayBeGone?.(outputs) ? ["--refresh"] : [];

/** A stack's cluster. @throws UsageError when it has none, or lacks an output that its kind needs. */
export const attach = (stack: StackContext): Promise<Attached> => kindOf(stack).attach(stack);

/** A stack's fleet. @throws UsageError when its cluster is none. */
export async function fleetOf(stack: StackContext): Promise<Fleet> {
  const kind = kindOf(stack);
  if (kind.fleet) return kind.fleet(stack);
  const fleets = kinds.filter(({ fleet }) => fleet).map(({ name }) => name);
  throw new UsageError(
    `stack ${stack.name} is no fleet: its cluster is "${kind.name}", and fleets are ${fleets.join(", ")}; "npx --no oneoff status ${stack.name}" tells of it`,
  );
}

/** The platforms that any of a program's resources is on. */
export const platformsOn = (resources: readonly RehearsedResource[]): readonly Platform[] =>
  platforms.filter(({ provider }) => resources.some(({ type }) => type.startsWith(provider)));

/** What the kinds of clusters on a platform add to what it does. */
export const partsOf = (platform: Platform): Promise<readonly unknown[]> =>
  Promise.all(kinds.flatMap((kind) => (kind.platform === platform && kind.part ? [kind.part()] : [])));
