import { z } from "zod";
import { ColumnType, type PartitionValues, type Table, typeInSql } from "./table.ts";

/** Which folders a partition column can have. null: what is not said. */
const Partition = z.strictObject({
  column: z.string(),
  values: z.array(z.string()).nullable(),
  /** As they stand in the names of folders; months, days or whole numbers between them, both included, are values too. */
  first: z.string().nullable(),
  last: z.string().nullable(),
  /** So many digits each, padded with zeros. */
  digits: z.int().positive().nullable(),
});

/**
 * A table as whoever runs the steps is told of it, to hold what they left against it. assets/steps/table_check.py reads it, and
 * refuses what this refuses.
 */
export const DeclaredTable = z.strictObject({
  name: z.string(),
  /** Type: one of ColumnType, a decimal with its digits: "decimal(18,2)". Measured columns are left out of the digest. */
  columns: z.array(z.strictObject({ name: z.string(), type: z.string(), measured: z.boolean() })),
  partitions: z.array(Partition),
  mayBeEmpty: z.boolean(),
});
export type DeclaredTable = z.infer<typeof DeclaredTable>;

export const declaredTable = ({
  name,
  columns,
  partitions = [],
  partitionValues,
  mayBeEmpty,
}: Table): DeclaredTable => ({
  name,
  columns: columns.map((column) => ({
    name: column.name,
    type: typeInSql(ColumnType, column),
    measured: column.measured ?? false,
  })),
  partitions: partitions.map((column) => ({ column, ...foldersOf(partitionValues?.[column]) })),
  mayBeEmpty: mayBeEmpty ?? false,
});

function foldersOf(values: PartitionValues | undefined): Omit<DeclaredTable["partitions"][number], "column"> {
  const nothing = { values: null, first: null, last: null, digits: null };
  if (values === undefined) return nothing;
  if ("values" in values) return { ...nothing, values: [...values.values] };
  const digits = "digits" in values ? (values.digits ?? null) : null;
  return { ...nothing, first: String(values.from), last: String(values.to), digits };
}
