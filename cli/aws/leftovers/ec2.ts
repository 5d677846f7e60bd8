import { DescribeTagsCommand, EC2Client, type TagDescription } from "@aws-sdk/client-ec2";
import { Tag } from "../../../core/tags.ts";
import type { Leftover } from "../../platform.ts";
import { notAutomated } from "../../removal.ts";
import { connect, paginate } from "../client.ts";
import { EC2_KINDS } from "./ec2-kinds.ts";
import { type Ec2Thing, insideVpcs } from "./ec2-network.ts";
import { Order, type Sweep } from "./sweep.ts";

/** They end with what they belong to. */
const PARTS: ReadonlySet<string> = new Set(["security-group-rule", "spot-instances-request"]);

/** What EC2 has with the stack's tag, and what others put into the stack's VPCs. */
export async function ec2Leftovers({ region, stack }: Sweep): Promise<readonly Leftover[]> {
  const ec2 = connect(new EC2Client({ region }));
  const [tagged, ofLakes] = await Promise.all([tags(ec2, Tag.stack, stack), tags(ec2, Tag.lake)]);
  const own = tagged
    .filter(({ Value, ResourceType }) => Value === stack && !PARTS.has(ResourceType as string))
    .map(({ ResourceType, ResourceId }) => ({ type: ResourceType as string, id: ResourceId as string }));
  const lakes = new Map(ofLakes.map(({ ResourceId, Value }) => [ResourceId, Value]));
  const all: readonly Ec2Thing[] = [...own, ...(await insideVpcs(ec2, own))];
  const found = await Promise.all(
    all.map(async ({ type, id, owner = stack }) => {
      const item = await leftover(ec2, type, id);
      const lake = lakes.get(id);
      const unsure = owner === stack ? undefined : `its tag says ${owner}, whose network this stack's is too`;
      return item && { ...item, ...(lake && { lake }), ...(unsure && { unsure }) };
    }),
  );
  return found.filter((item) => item !== undefined);
}

const tags = (ec2: EC2Client, key: string, value?: string): Promise<readonly TagDescription[]> =>
  paginate(async (NextToken) => {
    const Filters = [{ Name: "key", Values: [key] }, ...(value ? [{ Name: "value", Values: [value] }] : [])];
    const page = await ec2.send(new DescribeTagsCommand({ Filters, NextToken }));
    return [page.Tags, page.NextToken];
  });

async function leftover(ec2: EC2Client, type: string, id: string): Promise<Leftover | undefined> {
  const kind = EC2_KINDS[type];
  if (!kind)
    return { kind: `EC2 ${type}`, id, order: Order.disks, remove: notAutomated("remove it in the console of EC2") };
  const { there, since } = await kind.look(ec2, id);
  if (!there) return undefined;
  const { prepare } = kind;
  return {
    kind: kind.kind,
    id,
    ...(since && { since }),
    order: kind.order,
    ...(prepare && { prepare: () => prepare(ec2, id) }),
    remove: async () => void (await kind.remove(ec2, id)),
  };
}
