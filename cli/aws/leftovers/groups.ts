import {
  AutoScalingClient,
  DeleteAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
} from "@aws-sdk/client-auto-scaling";
import { Tag } from "../../../core/tags.ts";
import type { Leftover } from "../../platform.ts";
import { until } from "../../removal.ts";
import { connect, paginate } from "../client.ts";
import { lakeIn, Order, type Sweep } from "./sweep.ts";

/** Auto Scaling groups, which the tagging API doesn't list. */
export async function groupLeftovers({ region, stack }: Sweep): Promise<readonly Leftover[]> {
  const scaling = connect(new AutoScalingClient({ region }));
  const list = (names?: readonly string[]) =>
    paginate(async (NextToken) => {
      const page = await scaling.send(
        new DescribeAutoScalingGroupsCommand({
          ...(names
            ? { AutoScalingGroupNames: [...names] }
            : { Filters: [{ Name: `tag:${Tag.stack}`, Values: [stack] }] }),
          NextToken,
        }),
      );
      return [page.AutoScalingGroups, page.NextToken];
    });
  return (await list())
    .filter(
      ({ Status, Tags }) =>
        Status === undefined && Tags?.some(({ Key, Value }) => Key === Tag.stack && Value === stack),
    )
    .map(({ AutoScalingGroupName: name, CreatedTime: since, Tags }) => ({
      kind: "Auto Scaling group",
      id: name as string,
      ...lakeIn(Tags),
      ...(since && { since }),
      order: Order.groups,
      async remove() {
        await scaling.send(new DeleteAutoScalingGroupCommand({ AutoScalingGroupName: name, ForceDelete: true }));
        await until(async () => (await list([name as string])).length === 0);
      },
    }));
}
