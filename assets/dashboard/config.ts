import { isAbsolute } from "node:path";
import { z } from "zod";
import { quote, UsageError } from "../../core/errors.ts";
import { placeholders } from "../../core/placeholders.ts";
import { ColumnType } from "../../core/table.ts";
import { LEAST } from "./engines/scan-budget.ts";

/** Table and column names stand in SQL and in folder names, so they are checked here too, whoever wrote the file. */
const Identifier = z.string().regex(/^[a-z][a-z0-9_]*$/, "expected lower-case letters, digits and underscores");
const Absolute = z.string().refine(isAbsolute, "expected an absolute path");

const TableConfig = z.object({
  name: Identifier,
  about: z.string(),
  columns: z
    .array(
      z.object({
        name: Identifier,
        type: z.enum(ColumnType),
        precision: z.int().optional(),
        scale: z.int().optional(),
        unit: z.string().optional(),
      }),
    )
    .min(1, "expected at least one column"),
  partitions: z.array(Identifier).optional(),
});

const PanelConfig = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/, "expected lower-case words joined by dashes"),
  title: z.string(),
  shows: z.string(),
  sql: z.string(),
  chart: z.record(z.string(), z.unknown()),
  choice: z.object({ column: z.string(), label: z.string(), preferred: z.string().optional() }).optional(),
  live: z
    .object({
      feed: z.string(),
      key: z.array(z.string()).readonly(),
      time: z.string(),
      where: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
      rows: z.int().min(1),
    })
    .optional(),
});

/** What the server is started with. A `Job` may be given as it is: what the dashboard doesn't need is dropped. */
export const DashboardConfig = z.strictObject({
  /** Heading of the page. @default the job's name */
  title: z.string().optional(),
  job: z
    .object({ name: z.string(), tables: z.array(TableConfig), panels: z.array(PanelConfig) })
    .superRefine(({ tables, panels }, context) => {
      for (const panel of panels) {
        for (const name of placeholders(panel.sql)) {
          if (tables.some((table) => table.name === name)) continue;
          context.addIssue({
            code: "custom",
            message: `panel ${quote(panel.name)} reads {${name}}, which is no table`,
          });
        }
      }
    }),
  /** Name of the stack, for commands that the page says. @default it says them without */
  stack: z.string().optional(),
  /** Where the rows are. */
  engine: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("duckdb"),
      /** The lake's folder. It need not exist yet. */
      lake: Absolute,
    }),
    z.strictObject({
      kind: z.literal("athena"),
      region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "expected a region's name, such as us-west-2"),
      /** The lake's bucket. */
      lake: z.string().regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "expected s3:// and the name of a bucket"),
      /** Database of the catalog in which the job's tables are. */
      database: z.string().regex(/^[a-z0-9_-]{1,255}$/, "expected lower-case letters, digits, underscores and dashes"),
      workgroup: z.string().regex(/^[\w.-]{1,128}$/, "expected letters, digits, underscores, dots and dashes"),
      /** Bytes that queries may be billed for in a day (UTC). A query is billed for 10 MB at least. */
      dailyScanBytes: z.int().min(1),
      /** Name of a fleet of whose end the page warns. @default of none */
      fleet: z.string().optional(),
    }),
    z.strictObject({
      kind: z.literal("bigquery"),
      /** Queries run in it, and are billed to it. */
      project: z
        .string()
        .regex(/^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/, "expected a project's id, such as my-project-1"),
      location: z
        .string()
        .regex(/^(EU|US|[a-z]+(-[a-z]+)+\d+)$/, "expected a region or EU or US, such as europe-west1"),
      /** The lake's bucket. */
      lake: z.string().regex(/^gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, "expected gs:// and the name of a bucket"),
      /** Dataset in which the job's tables are. */
      dataset: z.string().regex(/^[A-Za-z0-9_]{1,1024}$/, "expected letters, digits and underscores"),
      /** Bytes that queries may be billed for in a day (UTC). */
      dailyScanBytes: z.int().min(1),
      /** Bytes that one query may be billed for. */
      queryLimitBytes: z.int().min(LEAST, `expected ${LEAST} or more: a query is billed for 10 MB at least`),
    }),
  ]),
  /** Of 127.0.0.1; 0 takes a free one. */
  port: z.int().min(0).max(65_535),
  /** Given back by `/api/identity`, so that whoever started the server can tell it from a stranger on the port. */
  token: z.string().min(1, "expected some text"),
  /** What a step must know to send rows as they happen: secret. @default none can be sent */
  feedToken: z.string().min(16, "expected 16 characters or more").optional(),
  /** Folder of the built page. @default where the build puts it */
  page: Absolute.optional(),
});
export type DashboardConfig = z.infer<typeof DashboardConfig>;

/** @throws UsageError that names the file, the setting and what is wrong with it. */
export function parseConfig(text: string, file: string): DashboardConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${(error as Error).message}`);
  }
  return checkConfig(value, file);
}

/** @throws UsageError as `parseConfig` does. */
export function checkConfig(value: unknown, file = "the dashboard's configuration"): DashboardConfig {
  const result = DashboardConfig.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  throw new UsageError(`${file}: ${[...issue.path.map(String), issue.message].join(": ")}`);
}
