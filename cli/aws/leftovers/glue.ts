import { AthenaClient, ListDatabasesCommand } from "@aws-sdk/client-athena";
import type { Leftover } from "../../platform.ts";
import { byHand, stackIn } from "../../removal.ts";
import { connect, paginate } from "../client.ts";
import { remove } from "./cloud-control.ts";
import { Order, ownerIn, ownersByDigits, type Sweep } from "./sweep.ts";

/**
 * Glue's databases by their names, which have underscores: not every region's tagging API lists them. Whose one is, its
 * description says; one of an older version has none, and is known by its tag or by its lake's bucket and workgroup.
 */
export async function databaseLeftovers(sweep: Sweep): Promise<readonly Leftover[]> {
  const { region, tagged, claim } = sweep;
  const athena = connect(new AthenaClient({ region }));
  const all = await paginate(async (NextToken) => {
    const page = await athena.send(new ListDatabasesCommand({ CatalogName: "AwsDataCatalog", NextToken }));
    return [page.DatabaseList, page.NextToken];
  });
  return all.flatMap(({ Name: id = "", Description }) => {
    const name = id.replaceAll("_", "-");
    const owner = stackIn(Description);
    const itself = tagged.filter(({ arn }) => arn.includes(":glue:") && arn.endsWith(`:database/${id}`));
    const owners = owner ? [owner] : itself.flatMap(({ tags }) => ownerIn(tags) ?? []);
    const found = claim(name, owners.length > 0 ? owners : ownersByDigits(sweep, name));
    if (!found) return [];
    return {
      kind: "Glue database",
      id,
      order: Order.tables,
      ...(found === "unsure" && { unsure: byHand(`aws glue delete-database --name ${id} --region ${region}`) }),
      remove: () => remove(region, "AWS::Glue::Database", id),
    };
  });
}
