import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { quote, UsageError } from "./errors.ts";
import { need, RESERVED, unique, WORDS } from "./job/names.ts";
import { checkShape } from "./job/shape.ts";
import { makeStep, tablesFirstNamed } from "./job/steps.ts";
import { nearest } from "./nearest.ts";
import type { Panel } from "./panel.ts";
import { checkPartitionValues } from "./partition-values.ts";
import { placeholders } from "./placeholders.ts";
import type { SparkStep, SparkStepArgs } from "./step.ts";
import { type Column, ColumnType, checkDigits, type Table } from "./table.ts";
import { checkUnreserved } from "./unreserved.ts";

export interface JobArgs {
  /** Lower-case words joined by dashes. */
  readonly name: string;
  /** The module that declares the job, `import.meta.url` or `__filename`: the job's files are found beside it. */
  readonly from: string;
  /** Run one after another, in this order. At least one. */
  readonly steps: readonly SparkStepArgs[];
  /** What the steps leave in the lake. At least one. */
  readonly tables: readonly Table[];
  /** What the dashboard shows. @default none */
  readonly panels?: readonly Panel[];
  /**
   * What the steps read beside the lake: addresses such as "s3://bucket/prefix" or "gs://bucket/prefix", which the cluster's
   * machines are then let read, and absolute paths of files and folders, which are mounted. Leave out what is public: it needs
   * no grant, and Google has nobody but a bucket's owner make one. @default none
   */
  readonly reads?: readonly string[];
}

/** What to compute: ordered Spark steps, the tables they leave, the panels that show them. Knows nothing of where it runs. */
export interface Job {
  readonly name: string;
  readonly steps: readonly SparkStep[];
  readonly tables: readonly Table[];
  readonly panels: readonly Panel[];
  /** As in {@link JobArgs}. @default none */
  readonly reads?: readonly string[];
}

/** More a browser would not draw ten times a second. */
const MOST_LIVE_ROWS = 5000;
const IDENTIFIER = /^[a-z][a-z0-9_]*$/;
/** Wildcards would be taken by a policy, and nothing fills in placeholders. */
const READ = /^(\/[^{}]*|(s3|gs):\/\/[a-z0-9][a-z0-9._-]+[a-z0-9](\/[^*?{}]*)?)$/;

/**
 * Makes a job, with defaults filled in and paths made absolute.
 *
 * @throws UsageError for what is no job, also where a program has no types: a key that there is not, a value of another kind;
 * and when a file is missing, requirements aren't pinned, a name is illegal or stands twice, a placeholder is unknown, a panel
 * reads a table that the job doesn't leave, or one of `reads` is neither an address nor an absolute path.
 */
export function job(args: JobArgs): Job {
  checkShape(args);
  const where = `job ${quote(args.name)}`;
  need(WORDS.test(args.name), `${where}: the name must be lower-case words joined by dashes, such as "london-power"`);
  need(args.steps.length > 0, `${where} has no steps: give at least one`);
  need(args.tables.length > 0, `${where} leaves no tables: give at least one, or its results end with the cluster`);
  for (const table of args.tables) checkTable(where, table);
  const tables = unique(where, "table", args.tables);
  const folder = folderOf(where, args.from);
  const steps = args.steps.map((step, at) => {
    const leaves = step.leaves ?? tablesFirstNamed(args.steps.slice(0, at), step, tables);
    return makeStep(`${where}, step ${quote(step.name)}`, { ...step, leaves }, folder, tables);
  });
  unique(where, "step", steps);
  const endless = steps.slice(0, -1).find((step) => step.endless);
  need(!endless, `${where}: step ${quote(endless?.name)} is endless, so none can follow: make it the last`);
  const panels = args.panels ?? [];
  for (const panel of panels) checkPanel(`${where}, panel ${quote(panel.name)}`, panel, tables);
  unique(where, "panel", panels);
  const reads = args.reads ?? [];
  for (const one of reads) {
    need(
      canBeRead(one),
      `${where}: reads has ${quote(one)}: expected an address, "s3://bucket/prefix" or "gs://bucket/prefix", or an absolute path, without placeholders or wildcards`,
    );
  }
  return { name: args.name, steps, tables: args.tables, panels, reads };
}

/** The folder of the module that declares a job. */
function folderOf(where: string, from: string): string {
  const isAddress = /^[a-z]+:/.test(from);
  need(
    isAddress ? from.startsWith("file:///") && URL.canParse(from) : from !== "",
    `${where}: from is ${quote(from)}: expected import.meta.url, in CommonJS __filename`,
  );
  return dirname(isAddress ? fileURLToPath(from) : from);
}

/** Whether it can be among a job's `reads`. */
export const canBeRead = (text: string): boolean => READ.test(text);

/**
 * What is read in all: what a cluster is given, and of the job's own what doesn't lie within that. What lies within something
 * of the job's own goes with it.
 */
export const readsInAll = (given: readonly string[], own: readonly string[]): readonly string[] =>
  own.reduce<readonly string[]>(
    (all, one) =>
      all.some((other) => isWithin(one, other)) ? all : [...all.filter((other) => !isWithin(other, one)), one],
    given,
  );

const isWithin = (one: string, other: string): boolean => asFolder(one).startsWith(asFolder(other));
const asFolder = (text: string): string => `${text.replace(/\/+$/, "")}/`;

function checkTable(where: string, table: Table): void {
  const here = `${where}, table ${quote(table.name)}`;
  need(
    IDENTIFIER.test(table.name) && !RESERVED.includes(table.name),
    `${here}: the name must be lower-case letters, digits and underscores, a letter first, and none of ${RESERVED.map(quote).join(", ")}`,
  );
  checkUnreserved(here, "the table's name", table.name);
  need(table.columns.length > 0, `${here} has no columns`);
  for (const column of table.columns) {
    need(
      IDENTIFIER.test(column.name) && column.name !== "run",
      `${here}: column ${quote(column.name)} must be lower-case letters, digits and underscores, a letter first, and not "run"`,
    );
    checkUnreserved(here, "a column's name", column.name);
    checkDigits(here, column);
  }
  const columns = unique(here, "column", table.columns);
  const partitions = table.partitions ?? [];
  unique(
    here,
    "partition",
    partitions.map((name) => ({ name })),
  );
  for (const partition of partitions) {
    need(columns.has(partition), `${here}: partition ${quote(partition)} is not one of its columns`);
    const { type } = table.columns.find(({ name }) => name === partition) as Column;
    need(type !== ColumnType.decimal, `${here}: partition ${quote(partition)} is a decimal, which no folder's name is`);
  }
  need(partitions.length < columns.size, `${here} has partitions alone: a file needs a column that is none`);
  for (const [partition, values] of Object.entries(table.partitionValues ?? {})) {
    const column = table.columns.find(({ name }) => name === partition);
    const meant = nearest(partition, partitions);
    if (!column || !partitions.includes(partition)) {
      throw new UsageError(
        `${here}: partitionValues has ${quote(partition)}, which is none of its partitions${meant ? `; did you mean ${quote(meant)}?` : ""}`,
      );
    }
    checkPartitionValues(`${here}, partition ${quote(partition)}`, column, values);
  }
}

function checkPanel(where: string, panel: Panel, tables: ReadonlySet<string>): void {
  need(WORDS.test(panel.name), `${where}: the name must be lower-case words joined by dashes`);
  need(/^\s*(select|with)\b/i.test(panel.sql) && !panel.sql.includes(";"), `${where}: sql must be one SELECT`);
  for (const table of placeholders(panel.sql)) {
    need(tables.has(table), `${where} reads {${table}}; the tables of the job are ${[...tables].join(", ")}`);
  }
  const { live } = panel;
  need(!live || WORDS.test(live.feed), `${where}: the feed must be lower-case words joined by dashes`);
  need(
    !live || (Number.isInteger(live.rows) && live.rows >= 1 && live.rows <= MOST_LIVE_ROWS),
    `${where}: live has rows ${live?.rows}: expected a whole number from 1 to ${MOST_LIVE_ROWS}`,
  );
  need(!("data" in panel.chart), `${where}: the chart must not have "data": the page puts in the rows of its sql`);
}
