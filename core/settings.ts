import { z } from "zod";
import { type Duration, seconds } from "./duration.ts";
import { arg, invalid, quote, refusal, UsageError } from "./errors.ts";
import { checkRunId } from "./run.ts";
import { mebibytes, type Size } from "./size.ts";

/**
 * A stack program's settings: one zod object whose keys are the configuration keys below `oneoff:`. Each has a
 * description and, unless it must be given, a default. Pulumi hands over every value as text, so the kinds of setting
 * below take text and turn it into what the program wants.
 */
export type SettingsSchema = z.ZodObject<Record<string, z.ZodType>>;

/** A whole number above zero. */
export const count = () =>
  z.coerce
    .number("expected a whole number above zero")
    .int("expected a whole number")
    .positive("expected a number above zero");

/** Whole numbers above zero, separated by commas. */
export const counts = () =>
  list(z.number(), (item) => Number.isInteger(Number(item)) && Number(item) > 0 && item !== "", {
    error: 'expected whole numbers above zero, separated by commas, such as "5,10,20"',
  }).transform((items) => items.map(Number));

/** Of a network: more than that is for a GPU, and makes a file that no table holds well. */
const MOST_LAYERS = 4;
const MOST_NEURONS = 512;

/** Neurons in the layers of a network. */
export const layers = () =>
  counts()
    .refine((sizes) => sizes.length <= MOST_LAYERS, `expected at most ${MOST_LAYERS} layers`)
    .refine((sizes) => sizes.every((size) => size <= MOST_NEURONS), `expected at most ${MOST_NEURONS} neurons a layer`);

/** A number within bounds. */
export const decimal = (least: number, most: number) =>
  z
    .union([z.number(), z.string().transform((text) => (text.trim() === "" ? Number.NaN : Number(text)))])
    .refine((value) => value >= least && value <= most, `expected a number from ${least} to ${most}`);

/** Words separated by commas. At least one. */
export const texts = () =>
  list(z.string(), (item) => item !== "", { error: 'expected words separated by commas, such as "a,b"' });

/** Items between commas, or an array of them; at least one. */
const list = <T extends z.ZodType>(item: T, fits: (item: string | z.output<T>) => boolean, wrong: { error: string }) =>
  z
    .union([z.string().transform((text) => text.split(",").map((item) => item.trim())), z.array(item)])
    .refine((items) => items.length > 0 && items.every((item) => fits(item)), wrong);

/** `"true"` or `"false"`. */
export const flag = () =>
  z.union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")], {
    error: "expected true or false",
  });

/** A {@link Duration}, such as `"90 minutes"`, within bounds. */
export const duration = (least: Duration, most: Duration) =>
  validText((text) => {
    const given = seconds(text);
    if (given < seconds(least) || given > seconds(most))
      throw new UsageError(`expected something from "${least}" to "${most}"`);
  }).transform((text) => text as Duration);

/** A {@link Size}, such as `"2 GB"`. */
export const size = () => validText((text) => mebibytes(text)).transform((text) => text as Size);

/** A port number. */
export const port = () => count().max(65_535, "expected a number from 1 to 65535");

/** The id of a run, as {@link checkRunId} takes it. */
export const runId = () => validText((text) => checkRunId(text));

const validText = (parse: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      parse(text);
    } catch (error) {
      const { cure, message } = error as UsageError;
      context.addIssue({ code: "custom", message: cure ?? message });
    }
  });

/** One row of what `oneoff settings` prints. */
export interface SettingDoc {
  readonly key: string;
  readonly about: string;
  /** As it would be set; undefined where the setting must be given or may be left out. */
  readonly default?: string;
}

/** The settings of a schema, in the order they are declared. */
export function describeSettings(schema: SettingsSchema): readonly SettingDoc[] {
  return Object.entries(schema.shape).map(([key, type]) => {
    const parsed = type.safeParse(undefined);
    return {
      key: `oneoff:${key}`,
      about: type.description ?? "",
      ...(parsed.success && parsed.data !== undefined && { default: String(parsed.data) }),
    };
  });
}

/**
 * Settings parsed from configuration text.
 *
 * @param given configuration of the stack, full keys (`oneoff:rows`) to text; keys of other namespaces are ignored.
 * @param whose what else a key that the schema doesn't have belongs to: "a setting of job xo". @default nothing
 * @throws UsageError for a key that the schema doesn't have or a value that it refuses: the key, the value and the cure.
 */
export function parseSettings<S extends SettingsSchema>(
  schema: S,
  given: Readonly<Record<string, string>>,
  whose: (key: string) => string | undefined = () => undefined,
): z.output<S> {
  const own = Object.entries(given)
    .filter(([key]) => key.startsWith("oneoff:"))
    .map(([key, value]) => [key.slice("oneoff:".length), value] as const);
  const known = Object.keys(schema.shape);
  for (const [key] of own) {
    if (known.includes(key)) continue;
    const elsewhere = whose(key);
    const there = `there are ${known.map((k) => `oneoff:${k}`).join(", ")}`;
    const remove = `remove it with: pulumi config rm oneoff:${key}`;
    throw new UsageError(
      elsewhere === undefined
        ? `oneoff:${key} is not a setting of this stack; ${there}; ${remove}`
        : `oneoff:${key} is ${elsewhere}: ${remove}`,
    );
  }
  const values = Object.fromEntries(own);
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  const key = String(issue.path[0]);
  const setting = arg(key, `oneoff:${key}`);
  const how = `set it with: pulumi config set oneoff:${key} VALUE`;
  if (key in values) throw invalid(setting, values[key], `${issue.message}; ${how}`);
  throw refusal`${setting} is not set (${schema.shape[key]?.description ?? ""}); ${how}`;
}

/**
 * Arguments checked by a schema, with its defaults.
 *
 * @param where what to name in the error: the function that takes the arguments.
 * @throws UsageError for a value that the schema refuses.
 */
export function checkArgs<S extends SettingsSchema>(where: string, schema: S, args: object): z.output<S> {
  const result = schema.safeParse(args);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0] as z.core.$ZodIssue;
  const key = String(path[0]);
  throw new UsageError(`${where}: ${key} is ${quote(args[key as keyof typeof args])}: ${message}`);
}

/**
 * Has errors name what the user of a stack has set: an argument that is a setting too, as `oneoff:` and its name; what is
 * no setting, as it is.
 *
 * @param names what arguments of the components are called as settings, where that is something else.
 */
export const inSettingsOf =
  <S extends SettingsSchema>(schema: S, names: Readonly<Record<string, keyof S["shape"] & string>>) =>
  <T>(check: () => T): T => {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw error.renamed((argument) => {
        const key = names[argument] ?? argument;
        return Object.hasOwn(schema.shape, key) ? `oneoff:${key}` : undefined;
      });
    }
  };
