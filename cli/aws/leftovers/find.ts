import { GetTagValuesCommand, ResourceGroupsTaggingAPIClient } from "@aws-sdk/client-resource-groups-tagging-api";
import { Tag } from "../../../core/tags.ts";
import type { Leftover, StackContext } from "../../platform.ts";
import { ownName } from "../../removal.ts";
import { connect, paginate } from "../client.ts";
import type { AwsPart } from "../part.ts";
import { regionOf } from "../region.ts";
import { ec2Leftovers } from "./ec2.ts";
import { databaseLeftovers } from "./glue.ts";
import { groupLeftovers } from "./groups.ts";
import { iamLeftovers } from "./iam.ts";
import type { Sweep } from "./sweep.ts";
import { taggedLeftovers } from "./tagged.ts";

/**
 * What is left of a stack, found by its tag, its IAM path and its name alone, and so of all stacks of that name in the
 * account: whose a thing is, its lake tells, where it names one. What has ended and is still listed is no
 * leftover.
 */
export async function findLeftovers(stack: StackContext, parts: readonly AwsPart[]): Promise<readonly Leftover[]> {
  const { project, stack: own, others: beside } = stack.files;
  const region = regionOf(stack);
  const id = `${project}/${own}`;
  const others = [...(await stacksIn(region)), ...beside.map((other) => `${project}/${other}`)];
  const sweep: Sweep = { region, stack: id, isOwnName: ownName(id, others) };
  const found = await Promise.all(
    [
      ...parts.map((part) => part.leftovers),
      ...[groupLeftovers, ec2Leftovers, databaseLeftovers, taggedLeftovers, iamLeftovers],
    ].map((find) => find(sweep)),
  );
  const once = new Map(found.flat().map((item) => [`${item.kind} ${item.id}`, item]));
  return [...once.values()].sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/** Stacks that have anything with a tag in the region. */
function stacksIn(region: string): Promise<readonly string[]> {
  const tagging = connect(new ResourceGroupsTaggingAPIClient({ region }));
  return paginate(async (PaginationToken) => {
    const page = await tagging.send(new GetTagValuesCommand({ Key: Tag.stack, PaginationToken }));
    return [page.TagValues, page.PaginationToken];
  });
}
