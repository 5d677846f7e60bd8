import { GetResourcesCommand, ResourceGroupsTaggingAPIClient } from "@aws-sdk/client-resource-groups-tagging-api";
import { Tag } from "../../../core/tags.ts";
import type { Leftover, StackContext } from "../../platform.ts";
import { claimOf } from "../../removal.ts";
import { connect, paginate } from "../client.ts";
import type { AwsPart } from "../part.ts";
import { regionOf } from "../region.ts";
import { ec2Leftovers } from "./ec2.ts";
import { databaseLeftovers } from "./glue.ts";
import { groupLeftovers } from "./groups.ts";
import { iamLeftovers } from "./iam.ts";
import { ownerIn, type Sweep, type Tagged } from "./sweep.ts";
import { taggedLeftovers } from "./tagged.ts";

/**
 * What is left of a stack, found by its tag, its IAM path, and names that may be its own. Tags and paths are those of all stacks
 * of that name in the account: whose a thing is, its lake tells, where it names one. What has ended and is still listed is
 * no leftover.
 */
export async function findLeftovers(stack: StackContext, parts: readonly AwsPart[]): Promise<readonly Leftover[]> {
  const { project, stack: own, others: beside } = stack.files;
  const region = regionOf(stack);
  const id = `${project}/${own}`;
  const tagged = await taggedIn(region);
  const others = [
    ...tagged.flatMap(({ tags }) => ownerIn(tags) ?? []),
    ...beside.map((other) => `${project}/${other}`),
  ];
  const sweep: Sweep = { region, stack: id, tagged, claim: claimOf(id, [...new Set(others)]) };
  const found = await Promise.all(
    [
      ...parts.map((part) => part.leftovers),
      ...[groupLeftovers, ec2Leftovers, databaseLeftovers, taggedLeftovers, iamLeftovers],
    ].map((find) => find(sweep)),
  );
  const once = new Map(found.flat().map((item) => [`${item.kind} ${item.id}`, item]));
  return [...once.values()].sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/** What the tagging API knows of all stacks in the region. */
async function taggedIn(region: string): Promise<readonly Tagged[]> {
  const tagging = connect(new ResourceGroupsTaggingAPIClient({ region }));
  const all = await paginate(async (PaginationToken) => {
    const TagFilters = [{ Key: Tag.stack }];
    const page = await tagging.send(new GetResourcesCommand({ TagFilters, ResourcesPerPage: 100, PaginationToken }));
    return [page.ResourceTagMappingList, page.PaginationToken];
  });
  return all.map(({ ResourceARN, Tags }) => ({ arn: ResourceARN as string, tags: Tags ?? [] }));
}
