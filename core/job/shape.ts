import { z } from "zod";
import { quote, UsageError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { ColumnType } from "../table.ts";

/** What a job is made of, for programs without types. What goes together with what is looked at afterwards. */
const text = (expected = "text") => z.string(`expected ${expected}`);
const texts = () => z.array(text(), "expected a list of texts");
const yes = () => z.boolean("expected true or false");
const digits = () => z.number("expected a whole number");
const listOf = <T extends z.ZodType>(item: T, what: string) => z.array(item, `expected a list of ${what}`);
const object = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, "expected an object");

const WORDS = 'lower-case words joined by dashes, such as "london-power"';

const Step = object({
  name: text(WORDS),
  script: text().optional(),
  jar: text().optional(),
  mainClass: text().optional(),
  arguments: texts().optional(),
  files: texts().optional(),
  pyFiles: texts().optional(),
  packages: texts().optional(),
  requirements: text("the path of a pip requirements file").optional(),
  leaves: texts().optional(),
  conf: z.record(z.string(), text(), `expected Spark's properties, such as { "spark.x": "1" }`).optional(),
  timeLimit: text('text such as "20 minutes"').optional(),
  endless: yes().optional(),
  secrets: texts().optional(),
});

const Table = object({
  name: text(),
  about: text("a sentence of what a row is"),
  columns: listOf(
    object({
      name: text(),
      type: z.enum(ColumnType, `expected one of ${Object.keys(ColumnType).join(", ")}`),
      precision: digits().optional(),
      scale: digits().optional(),
      unit: text().optional(),
      measured: yes().optional(),
    }),
    'columns, such as [{ name: "x", type: "double" }]',
  ),
  partitions: texts().optional(),
  partitionValues: z.record(z.string(), z.unknown(), "expected an object of values by partition").optional(),
  mayBeEmpty: yes().optional(),
});

const Panel = object({
  name: text(WORDS),
  title: text(),
  shows: text("a sentence of what it shows"),
  sql: text("one SELECT"),
  chart: z
    .record(z.string(), z.unknown(), "expected a Vega-Lite specification")
    .refine(
      (chart) => isPlain(chart),
      "holds what JSON can't: expected text, numbers, true and false, lists and objects",
    ),
  choice: object({ column: text(), label: text(), preferred: text().optional() }).optional(),
  live: object({
    feed: text(WORDS),
    key: texts(),
    time: text("the name of a column"),
    where: z.record(z.string(), z.union([z.string(), z.number()]), "expected values by column").optional(),
    rows: digits(),
  }).optional(),
});

const Args = object({
  name: text(WORDS),
  from: text("import.meta.url, in CommonJS __filename"),
  steps: listOf(Step, "steps"),
  tables: listOf(Table, "tables"),
  panels: listOf(Panel, "panels").optional(),
  reads: texts().optional(),
});

/** What a thing in one of the lists is called. */
const NOUNS: Readonly<Record<string, string>> = { steps: "step", tables: "table", panels: "panel", columns: "column" };

/** @throws UsageError for what is no job: where, what was given, and what was expected. */
export function checkShape(args: unknown): void {
  const result = Args.safeParse(args);
  if (result.success) return;
  const [issue] = result.error.issues.toSorted((a, b) => rank(a) - rank(b));
  throw new UsageError(describe(args, issue as z.core.$ZodIssue));
}

/** A name that is wrong is often why another is missing. */
const rank = ({ code }: z.core.$ZodIssue): number => (code === "unrecognized_keys" ? 0 : 1);

function describe(args: unknown, issue: z.core.$ZodIssue): string {
  const { where, rest, holder, value } = locate(args, issue.path);
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys as [string];
    const known = keysAt(issue.path);
    const meant = nearest(key, known);
    const inside = rest.length === 0 ? "" : ` in ${rest.join(".")}`;
    return `${where}: there is no ${quote(key)}${inside}: ${meant ? `did you mean ${quote(meant)}?` : `there are ${known.join(", ")}`}`;
  }
  if (rest.length === 0) return `${where} is ${shown(value)}: ${issue.message}`;
  const last = rest.at(-1) as PropertyKey;
  if (typeof last === "number") {
    return `${where}: ${rest.slice(0, -1).join(".")} has ${shown(value)} at place ${last + 1}: ${issue.message}${asText(value, issue)}`;
  }
  const name = rest[0] === "conf" && rest.length > 1 ? `conf ${quote(last)}` : rest.join(".");
  if (issue.code === "custom") return `${where}: ${name} ${issue.message}`;
  if (value === undefined && !Object.hasOwn(Object(holder), last)) return `${where} has no ${name}: ${issue.message}`;
  const meant = issue.code === "invalid_value" ? nearest(String(value), Object.keys(ColumnType)) : undefined;
  return `${where}: ${name} is ${shown(value)}: ${issue.message}${meant ? `; did you mean ${quote(meant)}?` : asText(value, issue)}`;
}

/** The value where an issue is, and its way there: named things first, then the rest. */
function locate(args: unknown, path: readonly PropertyKey[]) {
  let where = "job";
  let rest: PropertyKey[] = [];
  let holder: unknown;
  let value: unknown = args;
  const named = () => {
    const { name } = Object(value) as { readonly name?: unknown };
    return typeof name === "string" ? ` ${quote(name)}` : undefined;
  };
  where += named() ?? "";
  for (const key of path) {
    holder = value;
    value = (Object(value) as Readonly<Record<PropertyKey, unknown>>)[key];
    const noun = typeof key === "number" && rest.length === 1 ? NOUNS[String(rest[0])] : undefined;
    if (noun === undefined) rest.push(key);
    else {
      where += `, ${noun}${named() ?? ` ${Number(key) + 1}`}`;
      rest = [];
    }
  }
  return { where, rest, holder, value };
}

/** Names that there are at a place of the job. */
function keysAt(path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = Args;
  for (const key of path) {
    while (at instanceof z.ZodOptional) at = at.unwrap();
    if (at instanceof z.ZodObject) at = at.shape[String(key)];
    else if (at instanceof z.ZodArray) at = at.element;
  }
  while (at instanceof z.ZodOptional) at = at.unwrap();
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** How what was given is a text, or a list of texts. */
function asText(value: unknown, { message }: z.core.$ZodIssue): string {
  if (message === "expected text" && ["number", "boolean", "bigint"].includes(typeof value)) {
    return `, such as ${quote(String(value))}`;
  }
  return message === "expected a list of texts" && typeof value === "string" && value.length < LONGEST
    ? `, such as ${quote(value.trim().split(/\s+/))}`
    : "";
}

const LONGEST = 80;

/** A value of any kind as an error shows it, not too long. */
function shown(value: unknown): string {
  if (typeof value === "bigint" || typeof value === "symbol") return String(value);
  if (typeof value === "function") return `function ${value.name}`.trim();
  let text: string;
  try {
    text = quote(value);
  } catch {
    text = String(Object.prototype.toString.call(value)); // it has itself in it
  }
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}

/** Whether it is the same when it has been written as JSON, but for what is undefined. */
function isPlain(value: unknown, within: readonly unknown[] = []): boolean {
  if (value === null || ["string", "boolean", "undefined"].includes(typeof value)) return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || within.includes(value)) return false;
  return Object.values(value).every((item) => isPlain(item, [...within, value]));
}
