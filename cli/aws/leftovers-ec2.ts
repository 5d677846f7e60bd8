import { DescribeTagsCommand, EC2Client } from "@aws-sdk/client-ec2";
import { Tag } from "../../components/lifetime/tags.ts";
import type { Leftover } from "../leftovers.ts";
import { connect, everything } from "./client.ts";
import { EC2_KINDS } from "./ec2-kinds.ts";
import type { Sweep } from "./leftovers.ts";
import { byHand, Order } from "./removal.ts";

/** They end with what they belong to. */
const PARTS: ReadonlySet<string> = new Set(["security-group-rule", "spot-instances-request"]);

/** What EC2 has with the stack's tag. */
export async function ec2Leftovers({ region, stack }: Sweep): Promise<readonly Leftover[]> {
  const ec2 = connect(new EC2Client({ region }));
  const tagged = await everything(async (NextToken) => {
    const filters = [
      { Name: "key", Values: [Tag.stack] },
      { Name: "value", Values: [stack] },
    ];
    const page = await ec2.send(new DescribeTagsCommand({ Filters: filters, NextToken }));
    return [page.Tags, page.NextToken];
  });
  const own = tagged.filter(({ Value, ResourceType }) => Value === stack && !PARTS.has(ResourceType as string));
  const found = await Promise.all(
    own.map(({ ResourceType, ResourceId }) => leftover(ec2, ResourceType as string, ResourceId as string)),
  );
  return found.filter((item) => item !== undefined);
}

async function leftover(ec2: EC2Client, type: string, id: string): Promise<Leftover | undefined> {
  const kind = EC2_KINDS[type];
  if (!kind) return { kind: `EC2 ${type}`, id, order: Order.disks, remove: byHand("remove it in the console of EC2") };
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
