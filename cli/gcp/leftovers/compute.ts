import type { Leftover } from "../../platform.ts";
import { stackIn } from "../../removal.ts";
import { ServiceOff } from "../client.ts";
import type { GcpPart } from "../part.ts";
import {
  digitsOf,
  hasLabel,
  type Labelled,
  lastOf,
  Order,
  ownershipOf,
  ownText,
  removeCompute,
  type Sweep,
  since,
} from "./sweep.ts";

interface Item extends Labelled {
  readonly name: string;
  readonly description?: string;
  readonly creationTimestamp?: string;
}

interface Disk extends Item {
  /** Instances that it is attached to, and goes with or holds. */
  readonly users?: readonly string[];
}

interface Firewall extends Item {
  readonly network?: string;
}

/** Machines and disks, those too that a cluster left behind. Machines of a cluster that is there, whosever, go with it. */
export async function machineLeftovers(
  sweep: Sweep,
  digits: ReadonlySet<string>,
  parts: readonly GcpPart[],
): Promise<readonly Leftover[]> {
  const [instances, disks] = await Promise.all([inZones<Item>(sweep, "instances"), inZones<Disk>(sweep, "disks")]);
  // Asked last: one that is newer than the machines has none of them.
  const clusters = new Set((await Promise.all(parts.map((part) => part.clusters(sweep)))).flat());
  const isOwn = ({ item }: Zonal<Item>) => {
    const cluster = parts.map(({ clusterLabel }) => item.labels?.[clusterLabel]).find((name) => name !== undefined);
    if (cluster === undefined) return hasLabel(item, sweep);
    if (clusters.has(cluster)) return false;
    return hasLabel(item, sweep) || digits.has(digitsOf(cluster) ?? "");
  };
  const leftover = (kind: string, order: number, collection: string) => (found: Zonal<Item>) => ({
    kind,
    id: found.item.name,
    ...ownershipOf(found.item, sweep),
    ...since(found.item.creationTimestamp),
    order,
    remove: () => removeCompute(sweep, `${found.zone}/${collection}/${found.item.name}`),
  });
  return [
    ...instances.filter(isOwn).map(leftover("Compute instance", Order.instances, "instances")),
    // One that an instance has goes with it.
    ...disks
      .filter((found) => isOwn(found) && (found.item.users ?? []).length === 0)
      .map(leftover("disk", Order.disks, "disks")),
  ];
}

interface Zonal<T> {
  /** Such as "zones/europe-west1-b". */
  readonly zone: string;
  readonly item: T;
}

/** All of a kind in all zones of the region. */
async function inZones<T>({ google, project, region }: Sweep, collection: string): Promise<readonly Zonal<T>[]> {
  type Page = {
    readonly items?: Readonly<Record<string, Readonly<Record<string, readonly T[]>>>>;
    readonly nextPageToken?: string;
  };
  const found: Zonal<T>[] = [];
  let pageToken: string | undefined;
  try {
    do {
      const path = `compute/v1/projects/${project}/aggregated/${collection}`;
      const page: Page = await google.request("compute", path, { query: { pageToken } });
      for (const [zone, { [collection]: items = [] }] of Object.entries(page.items ?? {})) {
        if (zone.startsWith(`zones/${region}-`)) found.push(...items.map((item) => ({ zone, item })));
      }
      pageToken = page.nextPageToken;
    } while (pageToken);
  } catch (error) {
    if (!(error instanceof ServiceOff)) throw error;
  }
  return found;
}

/** The stack's own network and what is in it, by their descriptions: nothing of a network takes labels. */
export async function networkLeftovers(sweep: Sweep): Promise<readonly Leftover[]> {
  const { google, project, region } = sweep;
  const list = <T extends Item>(path: string) =>
    google.listIfOn<T>("compute", `compute/v1/projects/${project}/${path}`, "items");
  const [networks, subnets, firewalls] = await Promise.all([
    list("global/networks"),
    list(`regions/${region}/subnetworks`),
    list<Firewall>("global/firewalls"),
  ]);
  const whose = ({ name, description }: Item, command: string) =>
    ownText(sweep, description, () => `gcloud compute ${command} delete ${name} --project ${project}`);
  const isSure = (network: Item) => {
    const found = whose(network, "networks");
    return found !== undefined && !found.unsure;
  };
  const own = new Set(networks.filter(isSure).map(({ name }) => name));
  /** Whoever made a rule of the stack's network: it holds the network. One that says another stack is that one's. */
  const ofNetwork = ({ network = "", description }: Firewall) => {
    if (!own.has(lastOf(network))) return undefined;
    const owner = stackIn(description);
    return owner ? { unsure: `its description says ${owner}, whose network this stack's is too` } : {};
  };
  const leftover = (
    kind: string,
    order: number,
    path: string,
    item: Item,
    marks: Pick<Leftover, "unsure"> | undefined,
  ) =>
    marks
      ? [
          {
            kind,
            id: item.name,
            ...since(item.creationTimestamp),
            ...marks,
            order,
            remove: () => removeCompute(sweep, `${path}/${item.name}`),
          },
        ]
      : [];
  return [
    ...firewalls.flatMap((rule) =>
      leftover(
        "firewall rule",
        Order.firewalls,
        "global/firewalls",
        rule,
        whose(rule, "firewall-rules") ?? ofNetwork(rule),
      ),
    ),
    ...subnets.flatMap((subnet) =>
      leftover("subnetwork", Order.subnets, `regions/${region}/subnetworks`, subnet, whose(subnet, "networks subnets")),
    ),
    ...networks.flatMap((network) =>
      leftover("VPC network", Order.networks, "global/networks", network, whose(network, "networks")),
    ),
  ];
}
