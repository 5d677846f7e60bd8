/** What Kibana 8.8 and later take of a saved object, written down from lists of their fields: nothing else is let in. */
import { z } from "zod";

/** Text that is JSON of that shape. */
const json = <S extends z.ZodType>(shape: S) =>
  z.string().transform((text, context) => {
    try {
      return shape.parse(JSON.parse(text)) as z.output<S>;
    } catch (error) {
      context.addIssue(String(error));
      return z.NEVER;
    }
  });

const query = z.strictObject({ query: z.string(), language: z.literal("kuery") });
const source = z.strictObject({ query, filter: z.tuple([]) });
const meta = <S extends z.ZodType>(shape: S) => z.strictObject({ searchSourceJSON: json(shape) });
const runtimeField = z.strictObject({
  type: z.enum(["boolean", "date", "double", "geo_point", "ip", "keyword", "long"]),
  script: z.strictObject({ source: z.string().includes("emit(") }),
});

/** What Vega takes in place of an address: `%context%` excludes a query of its own. */
const url = z.strictObject({
  index: z.string(),
  "%context%": z.literal(true),
  "%timefield%": z.string(),
  body: z.looseObject({ query: z.undefined().optional() }),
});
const spec = z.looseObject({
  $schema: z.string().regex(/^https:\/\/vega\.github\.io\/schema\/vega-lite\/v5\.json$/),
  data: z.strictObject({ url, format: z.strictObject({ property: z.string() }) }),
});
const panel = z.strictObject({
  type: z.literal("visualization"),
  panelIndex: z.string(),
  title: z.string(),
  gridData: z.strictObject({
    x: z.number().min(0).max(47),
    y: z.number().min(0),
    w: z.number().min(1).max(48),
    h: z.number().min(1),
    i: z.string(),
  }),
  embeddableConfig: z.strictObject({
    enhancements: z.strictObject({}),
    savedVis: z.strictObject({
      id: z.literal(""),
      title: z.string(),
      description: z.string(),
      type: z.literal("vega"),
      params: z.strictObject({ spec: json(spec) }),
      uiState: z.strictObject({}),
      data: z.strictObject({ aggs: z.tuple([]), searchSource: source }),
    }),
  }),
});

const reference = z.strictObject({
  id: z.string(),
  name: z.string(),
  type: z.enum(["index-pattern", "search", "dashboard"]),
});
const object = {
  id: z.string().regex(/^[\w.-]+$/),
  coreMigrationVersion: z.literal("8.8.0"),
  references: z.array(reference),
};
const dataView = z.strictObject({
  ...object,
  type: z.literal("index-pattern"),
  typeMigrationVersion: z.literal("8.0.0"),
  attributes: z.strictObject({
    title: z.string(),
    name: z.string(),
    timeFieldName: z.string(),
    runtimeFieldMap: json(z.record(z.string(), runtimeField)),
  }),
});
const search = z.strictObject({
  ...object,
  type: z.literal("search"),
  typeMigrationVersion: z.literal("8.0.0"),
  attributes: z.strictObject({
    title: z.string(),
    description: z.string(),
    columns: z.array(z.string()),
    sort: z.array(z.tuple([z.string(), z.enum(["asc", "desc"])])),
    kibanaSavedObjectMeta: meta(source.extend({ indexRefName: z.string() })),
  }),
});
const dashboard = z.strictObject({
  ...object,
  type: z.literal("dashboard"),
  typeMigrationVersion: z.literal("8.9.0"),
  attributes: z.strictObject({
    title: z.string(),
    description: z.string(),
    version: z.literal(1),
    hits: z.literal(0),
    timeRestore: z.literal(true), // or else refreshInterval is left out
    timeFrom: z.string(),
    timeTo: z.string(),
    refreshInterval: z.strictObject({ pause: z.boolean(), value: z.number().min(5000) }),
    kibanaSavedObjectMeta: meta(source),
    optionsJSON: json(
      z.strictObject({ useMargins: z.boolean(), syncColors: z.boolean(), hidePanelTitles: z.boolean() }),
    ),
    panelsJSON: json(z.array(panel)),
  }),
});

export const kibanaObject = z.discriminatedUnion("type", [dataView, search, dashboard]);
export type Read = z.output<typeof kibanaObject>;

/** Objects as Kibana would have them. @throws Error for what it would refuse. */
export function readObjects(ndjson: string): readonly Read[] {
  const found = ndjson
    .trim()
    .split("\n")
    .map((line) => kibanaObject.parse(JSON.parse(line)));
  const keys = found.map(({ type, id }) => `${type}:${id}`);
  const twice = keys.find((key, at) => keys.indexOf(key) !== at);
  if (twice !== undefined) throw new Error(`${twice} is there twice`);
  for (const each of found) {
    for (const { type, id } of each.references) {
      if (!keys.includes(`${type}:${id}`)) throw new Error(`${each.id} refers to ${type}:${id}, which is not there`);
    }
  }
  return found;
}

/** Vega-Lite of the dashboards, by titles, as their panels have it. */
export const specsOf = (objects: readonly Read[]) =>
  objects.flatMap((each) =>
    each.type === "dashboard"
      ? each.attributes.panelsJSON.map(({ embeddableConfig: { savedVis } }) => ({
          title: savedVis.title,
          spec: savedVis.params.spec,
        }))
      : [],
  );
