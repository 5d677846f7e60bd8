import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { seconds } from "./duration.ts";
import { arg, quote, refusal, UsageError } from "./errors.ts";
import type { Panel } from "./panel.ts";
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

/** Placeholders that every step may use, so that no table can be called so. */
const RESERVED: readonly string[] = ["run", "lake", "scratch"];
const WORDS = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const IDENTIFIER = /^[a-z][a-z0-9_]*$/;
/** Wildcards would be taken by a policy, and nothing fills in placeholders. */
const READ = /^(\/[^{}]*|(s3|gs):\/\/[a-z0-9][a-z0-9._-]+[a-z0-9](\/[^*?{}]*)?)$/;
const COORDINATE = /^[\w.-]+:[\w.-]+:[\w.-]+$/;
/** The Python module that steps share. */
const SHARED_MODULE = join(import.meta.dirname, "../assets/jobs/oneoff.py");
const SIZES_THE_CLUSTER =
  /^spark\.(master|submit\.deployMode|executor\.(instances|cores|memory)|driver\.(cores|memory)|cores\.max)$/;

/**
 * Makes a job, with defaults filled in and paths made absolute.
 *
 * @throws UsageError when a file is missing, a name is illegal or stands twice, a placeholder is unknown, a panel reads a
 * table that the job doesn't leave, or one of `reads` is neither an address nor an absolute path.
 */
export function job(args: JobArgs): Job {
  const where = `job ${quote(args.name)}`;
  need(WORDS.test(args.name), `${where}: the name must be lower-case words joined by dashes, such as "london-power"`);
  need(args.steps.length > 0, `${where} has no steps: give at least one`);
  need(args.tables.length > 0, `${where} leaves no tables: give at least one, or its results end with the cluster`);
  for (const table of args.tables) checkTable(where, table);
  const tables = unique(where, "table", args.tables);
  const folder = dirname(args.from.startsWith("file:") ? fileURLToPath(args.from) : args.from);
  const steps = args.steps.map((step, at) => {
    const leaves = step.leaves ?? tablesFirstNamed(args.steps.slice(0, at), step, tables);
    return makeStep(`${where}, step ${quote(step.name)}`, { ...step, leaves }, folder, tables);
  });
  unique(where, "step", steps);
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

/** Names between braces, in order: `"{points} and {run}"` has `points` and `run`. */
export const placeholders = (text: string): readonly string[] =>
  [...text.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1] as string);

/** Puts values in for the placeholders of `text`. */
export const fill = (text: string, value: (placeholder: string) => string): string =>
  text.replace(/\{([^{}]*)\}/g, (_, name: string) => value(name));

/**
 * The job of what works over a lake: the lake's, unless the same job is given. Jobs are the same that have one name and equal
 * tables and panels, whatever objects they are. Tables and panels are told apart by their names, so their order says nothing;
 * that of a table's columns does. Steps, and what they read, may differ: they can have other arguments.
 *
 * @param shown "some": a few of the lake's panels will do, as for a dashboard.
 * @throws UsageError for another job than the lake's, and when there is none.
 */
export function jobFor(
  { job, lake }: { readonly job?: Job | undefined; readonly lake: { readonly job?: Job | undefined } },
  shown: "all" | "some" = "all",
): Job {
  const known = lake.job;
  if (job === undefined && known === undefined) {
    throw refusal`${arg("job")} is not set, and a lake that is but a path or an address has none: give the job whose tables lie in it`;
  }
  if (job === undefined || known === undefined || job === known) return (job ?? known) as Job;
  const difference = differenceOf(job, known, shown);
  if (difference === undefined) return job;
  throw refusal`${arg("job")} is ${quote(job.name)} and ${arg("lake")} is of ${difference}: leave ${arg("job")} out, which takes the lake's, or make a lake for this one`;
}

/** What tells the lake's job from one that is given; undefined where they are the same. */
function differenceOf(job: Job, known: Job, shown: "all" | "some"): string | undefined {
  if (job.name !== known.name) return `job ${quote(known.name)}`;
  const isShown = (name: string) => shown === "all" || job.panels.some((panel) => panel.name === name);
  const panels = known.panels.filter(({ name }) => isShown(name));
  const difference =
    firstUnlike("table", job.tables, known.tables, (one, other) =>
      isAlike(one.columns, other.columns) ? "is another" : "has other columns",
    ) ?? firstUnlike("panel", job.panels, panels, () => "is another");
  return difference && `a job of that name ${difference}`;
}

function firstUnlike<T extends Table | Panel>(
  kind: string,
  given: readonly T[],
  known: readonly T[],
  how: (one: T, other: T) => string,
): string | undefined {
  for (const one of given) {
    const other = known.find(({ name }) => name === one.name);
    if (!other) return `that has no ${kind} ${quote(one.name)}`;
    if (!isAlike(one, other)) return `whose ${kind} ${quote(one.name)} ${how(one, other)}`;
  }
  const more = known.find(({ name }) => !given.some((one) => one.name === name));
  return more && `that has a ${kind} ${quote(more.name)} too`;
}

/** Whether two pieces of plain data are equal, with what is undefined for left out. */
const isAlike = (one: unknown, other: unknown): boolean =>
  isDeepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)));

/** Tables that a step's arguments name, and no earlier step's. */
function tablesFirstNamed(
  earlier: readonly SparkStepArgs[],
  step: SparkStepArgs,
  tables: ReadonlySet<string>,
): readonly string[] {
  const namedBy = (one: SparkStepArgs) => (one.arguments ?? []).flatMap(placeholders);
  const before = new Set(earlier.flatMap(namedBy));
  return [...new Set(namedBy(step))].filter((name) => tables.has(name) && !before.has(name));
}

function makeStep(where: string, step: SparkStepArgs, folder: string, tables: ReadonlySet<string>): SparkStep {
  need(WORDS.test(step.name), `${where}: the name must be lower-case words joined by dashes`);
  need(!step.script !== !step.jar, `${where}: give either a script or a jar`);
  need(!step.jar === !step.mainClass, `${where}: jar and mainClass go together`);
  const file = (kind: string, path: string) => {
    const absolute = resolve(folder, path);
    need(existsSync(absolute), `${where}: ${kind} ${quote(path)} is not there; it was looked for at ${absolute}`);
    need(
      !statSync(absolute).isDirectory(),
      `${where}: ${kind} ${quote(path)} is a folder: give the files, or a zip of them`,
    );
    return absolute;
  };
  for (const coordinate of step.packages ?? []) {
    need(COORDINATE.test(coordinate), `${where}: package ${quote(coordinate)} must be group:artifact:version`);
  }
  for (const key of Object.keys(step.conf ?? {})) {
    need(key.startsWith("spark."), `${where}: conf ${quote(key)} is not a Spark property; they start with "spark."`);
    need(!SIZES_THE_CLUSTER.test(key), `${where}: conf ${quote(key)} sizes the cluster; set it on the cluster instead`);
  }
  const secrets = step.secrets ?? [];
  for (const secret of secrets) {
    need(WORDS.test(secret), `${where}: secret ${quote(secret)} must be lower-case words joined by dashes`);
  }
  for (const table of step.leaves ?? []) {
    need(
      tables.has(table),
      `${where}: leaves has ${quote(table)}; the tables of the job are ${[...tables].join(", ")}`,
    );
  }
  const known = [...RESERVED, ...tables, ...secrets.map((secret) => `secret:${secret}`)];
  for (const argument of step.arguments ?? []) checkPlaceholders(where, argument, known);
  const named = [step.script, step.jar, ...(step.files ?? []), ...(step.pyFiles ?? [])].filter(
    (path) => path !== undefined,
  );
  const bringsOwn = named.some((path) => basename(path) === basename(SHARED_MODULE));
  for (const path of new Set(named.map((path) => resolve(folder, path)))) {
    const alike = named.filter((other) => basename(other) === basename(path) && resolve(folder, other) !== path);
    need(alike.length === 0, `${where} has two files called ${quote(basename(path))}; rename one`);
  }
  return {
    name: step.name,
    ...(step.script && { script: file("script", step.script) }),
    ...(step.jar && { jar: file("jar", step.jar), mainClass: step.mainClass as string }),
    arguments: step.arguments ?? [],
    files: (step.files ?? []).map((path) => file("file", path)),
    pyFiles: [
      ...(step.script && !bringsOwn ? [SHARED_MODULE] : []),
      ...(step.pyFiles ?? []).map((path) => file("Python file", path)),
    ],
    packages: step.packages ?? [],
    ...(step.requirements && { requirements: file("requirements", step.requirements) }),
    leaves: step.leaves ?? [],
    conf: step.conf ?? {},
    timeLimitSeconds: seconds(step.timeLimit ?? "1 hour", `${where}: timeLimit`),
    secrets,
  };
}

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
    need(
      column.type in ColumnType,
      `${here}: column ${quote(column.name)} has type ${quote(column.type)}; types are ${Object.keys(ColumnType).join(", ")}`,
    );
    checkDigits(here, column);
  }
  const columns = unique(here, "column", table.columns);
  for (const partition of table.partitions ?? []) {
    need(columns.has(partition), `${here}: partition ${quote(partition)} is not one of its columns`);
    const { type } = table.columns.find(({ name }) => name === partition) as Column;
    need(type !== ColumnType.decimal, `${here}: partition ${quote(partition)} is a decimal, which no folder's name is`);
  }
}

function checkPanel(where: string, panel: Panel, tables: ReadonlySet<string>): void {
  need(WORDS.test(panel.name), `${where}: the name must be lower-case words joined by dashes`);
  need(/^\s*(select|with)\b/i.test(panel.sql) && !panel.sql.includes(";"), `${where}: sql must be one SELECT`);
  for (const table of placeholders(panel.sql)) {
    need(tables.has(table), `${where} reads {${table}}; the tables of the job are ${[...tables].join(", ")}`);
  }
  need(!("data" in panel.chart), `${where}: the chart must not have "data": the page puts in the rows of its sql`);
}

function checkPlaceholders(where: string, text: string, known: readonly string[]): void {
  for (const name of placeholders(text)) {
    need(
      known.includes(name),
      `${where}: {${name}} in argument ${quote(text)} is unknown; there are ${known.map((k) => `{${k}}`).join(", ")}`,
    );
  }
}

function unique(where: string, kind: string, things: readonly { readonly name: string }[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { name } of things) {
    need(!names.has(name), `${where}: two ${kind}s are called ${quote(name)}; names must differ`);
    names.add(name);
  }
  return names;
}

function need(condition: boolean, message: string): asserts condition {
  if (!condition) throw new UsageError(message);
}
