import { AthenaClient, ListDatabasesCommand } from "@aws-sdk/client-athena";
import type { Leftover } from "../../platform.ts";
import { connect, paginate } from "../client.ts";
import { remove } from "./cloud-control.ts";
import { Order, type Sweep } from "./sweep.ts";

/** Glue's databases by their names, which have underscores: not every region's tagging API lists them. */
export async function databaseLeftovers({ region, isOwnName }: Sweep): Promise<readonly Leftover[]> {
  const athena = connect(new AthenaClient({ region }));
  const all = await paginate(async (NextToken) => {
    const page = await athena.send(new ListDatabasesCommand({ CatalogName: "AwsDataCatalog", NextToken }));
    return [page.DatabaseList, page.NextToken];
  });
  return all
    .map(({ Name }) => Name as string)
    .filter((name) => isOwnName(name.replaceAll("_", "-")))
    .map((id) => ({
      kind: "Glue database",
      id,
      order: Order.tables,
      remove: () => remove(region, "AWS::Glue::Database", id),
    }));
}
