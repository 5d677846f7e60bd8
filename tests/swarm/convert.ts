/** Pulumi's properties as Terraform's values and back, by the provider's schema, as Pulumi's bridge does it. */
import { UNKNOWN, type Value } from "./msgpack.ts";
import type { Attribute, Block, Nested, Path, TypeOf } from "./terraform.ts";

export type Properties = Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, Value>>;

/** What stands for an unknown value on Pulumi's wire, and what marks a secret. */
const PULUMI_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

export const secret = (value: unknown) => ({ [SIGNATURE]: SECRET, value });

/** A property of a resource, or of an object within it, under both of its names. */
interface Property {
  readonly terraform: string;
  readonly pulumi: string;
  readonly sensitive: boolean;
  /** Present for blocks. */
  readonly nested?: Nested;
  readonly type: TypeOf;
}

const cache = new WeakMap<Block, readonly Property[]>();

/** The properties of a block. What is named against the rule is so at one place only: `keeps` are a resource's own. */
function properties(block: Block, keeps: readonly string[] = []): readonly Property[] {
  const known = cache.get(block);
  if (known) return known;
  const all = [
    ...block.attributes.map(({ name, type, sensitive }) => ({ terraform: name, type, sensitive })),
    ...block.block_types
      .filter(({ type_name }) => type_name !== "timeouts")
      .map((nested) => ({ terraform: nested.type_name, type: "block", sensitive: false, nested })),
  ].map((property) => ({ ...property, pulumi: pulumiName(property, keeps) }));
  cache.set(block, all);
  return all;
}

function pulumiName({ terraform, type, nested }: Omit<Property, "pulumi">, keeps: readonly string[]): string {
  const camel = terraform.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const many = nested ? !isOne(nested) : type[0] === "list" || type[0] === "set";
  if (!many || camel.endsWith("s") || keeps.includes(terraform)) return camel;
  return camel + (/(ch|sh|x)$/.test(camel) ? "es" : "s");
}

/** A list that never has more than one member is that member for Pulumi. */
const isOne = ({ nesting, max_items }: Nested) => nesting === "SINGLE" || nesting === "GROUP" || max_items === 1;

/** Tells a resource's block which of its names Pulumi keeps as they are. Before anything else is done with it. */
export const keepNames = (block: Block, names: readonly string[]) => void properties(block, names);

/** What a user gave, as Terraform's configuration. */
export function toTerraform(block: Block, given: Properties): Fields {
  const names = new Set([...properties(block).map(({ pulumi }) => pulumi), "__defaults"]);
  const unknown = Object.keys(given).find((name) => !names.has(name));
  if (unknown) throw new Error(`the provider knows no property ${unknown}, only ${[...names].sort().join(", ")}`);
  const fields = properties(block).map((property) => [property.terraform, wanted(property, given[property.pulumi])]);
  const timeouts = block.block_types.filter(({ type_name }) => type_name === "timeouts").map(() => ["timeouts", null]);
  return Object.fromEntries([...fields, ...timeouts]);
}

function wanted({ nested, type }: Property, value: unknown): Value {
  if (!nested) return typed(type, value);
  if (value === PULUMI_UNKNOWN) return UNKNOWN;
  if (nested.nesting === "SINGLE") return value == null ? null : toTerraform(nested.block, value as Properties);
  const members = value == null ? [] : isOne(nested) && !Array.isArray(value) ? [value] : (value as unknown[]);
  const known = (member: unknown) => toTerraform(nested.block, member as Properties);
  return members.map((member) => (member === PULUMI_UNKNOWN ? UNKNOWN : known(member)));
}

function typed(type: TypeOf, value: unknown): Value {
  if (value == null) return null;
  if (value === PULUMI_UNKNOWN) return UNKNOWN;
  if (type === "string") return String(value);
  if (type === "number") return Number(value);
  if (type === "bool") return value === true || value === "true";
  const [kind, of] = type as readonly [string, TypeOf];
  if (kind !== "map") return (value as unknown[]).map((member) => typed(of, member));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, typed(of, member)]));
}

/** A resource's state as Pulumi's outputs; what is null is left out. */
export function toPulumi(block: Block, value: Value): Record<string, unknown> {
  const fields = value as Fields;
  const outputs = properties(block).map((property) => [property.pulumi, output(property, fields[property.terraform])]);
  return Object.fromEntries(outputs.filter(([, member]) => member !== undefined));
}

function output({ nested, type, sensitive }: Property, value: Value | undefined): unknown {
  if (value === null || value === undefined) return undefined;
  if (value === UNKNOWN) return PULUMI_UNKNOWN;
  if (!nested) return sensitive ? secret(plain(type, value)) : plain(type, value);
  if (nested.nesting === "SINGLE") return toPulumi(nested.block, value);
  const members = (value as readonly Value[]).map((member) => toPulumi(nested.block, member));
  return isOne(nested) ? members[0] : members;
}

function plain(type: TypeOf, value: Value): unknown {
  if (value === UNKNOWN) return PULUMI_UNKNOWN;
  if (value === null || typeof type === "string") return value;
  const [kind, of] = type;
  if (kind === "object") {
    const attributes = Object.entries(of).map(([name, type]) => ({ name, type }) as Attribute);
    return toPulumi({ attributes, block_types: [] }, value);
  }
  if (kind !== "map") return (value as readonly Value[]).map((member) => plain(of as TypeOf, member));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(of as TypeOf, member)]));
}

/** What Terraform proposes to the provider: the configuration, and for computed values left out of it what was. */
export function proposed(block: Block, prior: Value, config: Value): Fields {
  const [old, wanted] = [prior as Fields | null, config as Fields];
  const attributes = block.attributes.map(({ name, computed }) => {
    const value = wanted[name] ?? null;
    return [name, computed && value === null ? (old?.[name] ?? null) : value];
  });
  const blocks = block.block_types.map(({ type_name, nesting, block }) => {
    const [was, value] = [old?.[type_name], wanted[type_name] ?? null];
    if (nesting !== "LIST" || !Array.isArray(value)) return [type_name, value];
    return [type_name, value.map((member, at) => proposed(block, (was as Value[] | undefined)?.[at] ?? null, member))];
  });
  return Object.fromEntries([...attributes, ...blocks]);
}

export interface Change {
  readonly path: Path;
  readonly kind: "ADD" | "DELETE" | "UPDATE";
}

/** Where two states differ. Within a set nothing has a place, so the set as a whole does. */
export function changes(block: Block, prior: Value, planned: Value, at: Path = []): readonly Change[] {
  const [old, now] = [prior as Fields, planned as Fields];
  return properties(block).flatMap(({ terraform, nested }) => {
    const before: Value = old[terraform] ?? null;
    const after: Value = now[terraform] ?? null;
    const path = [...at, terraform];
    if (same(before, after)) return [];
    const pairs = nested?.nesting === "LIST" && Array.isArray(before) && Array.isArray(after);
    if (!pairs || before.length !== after.length) return [{ path, kind: kindOf(before, after) }];
    return before.flatMap((member, index) => changes(nested.block, member, after[index] ?? null, [...path, index]));
  });
}

function kindOf(before: Value, after: Value): Change["kind"] {
  const nothing = (value: Value) => value === null || (Array.isArray(value) && value.length === 0);
  if (nothing(before)) return "ADD";
  return nothing(after) ? "DELETE" : "UPDATE";
}

export function same(one: Value, other: Value): boolean {
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return one === other && one !== UNKNOWN;
  const [entries, keys] = [Object.entries(one), Object.keys(other)];
  return entries.length === keys.length && entries.every(([key, value]) => same(value, (other as Fields)[key] ?? null));
}

/** A place as Pulumi writes it: `taskSpec.containerSpec.configs[0].configId`. */
export function pulumiPath(block: Block, path: Path): string {
  const [name, ...rest] = path;
  const property = properties(block).find(({ terraform }) => terraform === name);
  if (!property) return path.join(".");
  const { nested, pulumi } = property;
  if (!nested) return [pulumi, ...rest].join(".");
  const [index, ...below] = rest;
  const here = index === undefined || isOne(nested) ? pulumi : `${pulumi}[${index}]`;
  return below.length > 0 ? `${here}.${pulumiPath(nested.block, below)}` : here;
}

/** The other way round: a place that a user wrote, as of `ignoreChanges`. */
export function terraformPath(block: Block, written: string): Path {
  const steps = written.split(/[.[\]"]+/).filter(Boolean);
  const walk = (block: Block, [name, ...rest]: readonly string[]): Path => {
    const property = properties(block).find(({ pulumi }) => pulumi === name);
    if (!property?.nested) return [property?.terraform ?? (name as string), ...rest];
    const { terraform, nested } = property;
    if (rest.length === 0) return [terraform];
    const [index, below] = isOne(nested) ? [0, rest] : [Number(rest[0]), rest.slice(1)];
    return [terraform, index, ...(below.length > 0 ? walk(nested.block, below) : [])];
  };
  return walk(block, steps);
}

/** A state in which one place is again as it was before. */
export function restored(now: Value, was: Value, [step, ...rest]: Path): Value {
  if (step === undefined) return was;
  if (typeof now !== "object" || now === null) return now;
  const before = (was as Fields | null)?.[step] ?? null;
  const copy = (Array.isArray(now) ? [...now] : { ...now }) as Record<string | number, Value>;
  copy[step] = restored(copy[step] ?? null, before, rest);
  return copy as unknown as Value;
}

/** Whether one place is within another. */
export const within = (path: Path, outer: Path) => outer.every((step, at) => path[at] === step);

/** The inputs with those marked secret that the provider calls sensitive. */
export function guarded(block: Block, inputs: Properties): Properties {
  const marked = properties(block).filter(({ sensitive, pulumi }) => sensitive && typeof inputs[pulumi] === "string");
  return { ...inputs, ...Object.fromEntries(marked.map(({ pulumi }) => [pulumi, secret(inputs[pulumi])])) };
}
