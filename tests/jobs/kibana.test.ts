/** What Kibana is given of job streaming-regression: that it would take it, and what its panels draw. */
import { expect, test } from "vitest";
import { kibanaObjects, ndjson } from "../../assets/jobs/streaming-regression/kibana/index.ts";
import { draw } from "./kibana-draw.ts";
import { kibanaObject, readObjects, specsOf } from "./kibana-schema.ts";

const made = (args?: Parameters<typeof kibanaObjects>[0]) => readObjects(ndjson(kibanaObjects(args)));

test("a data view, three searches and three dashboards, which the schema takes and which find each other", () => {
  const objects = made();
  expect(objects.map(({ type, id }) => [type, id.replace("streaming-regression-", "")])).toEqual([
    ["index-pattern", "view"],
    ["search", "train-set"],
    ["search", "test-set"],
    ["search", "set-aside"],
    ["dashboard", "train"],
    ["dashboard", "test"],
    ["dashboard", "both"],
  ]);
  expect(specsOf(objects).map(({ title }) => title)).toEqual(
    Array.from({ length: 3 }, () => [
      "Global squared error",
      "Error against offset",
      "Points and predictions",
      "Set aside",
    ]).flat(),
  );
});

test("index, topics and refresh are those that were asked for", () => {
  const objects = made({ storeIndex: "points", trainTopic: "seen", testTopic: "held-out", refresh: "1 minute" });
  const queries = objects.flatMap((each) =>
    each.type === "index-pattern" ? [] : [each.attributes.kibanaSavedObjectMeta.searchSourceJSON.query.query],
  );
  expect(queries).toEqual([
    'topic: "seen"',
    'topic: "held-out"',
    "reason: *",
    'topic: "seen"',
    'topic: "held-out"',
    "",
  ]);
  for (const each of objects) {
    if (each.type === "dashboard") expect(each.attributes.refreshInterval).toEqual({ pause: false, value: 60_000 });
    if (each.type === "index-pattern") expect(each.attributes.title).toBe("points");
  }
  expect(new Set(specsOf(objects).map(({ spec }) => spec.data.url.index))).toEqual(new Set(["points"]));
});

test("charts take what the job stores; the formula is a field of the data view, under another name", () => {
  const objects = made();
  const fields = objects.flatMap((each) => (each.type === "index-pattern" ? [each.attributes.runtimeFieldMap] : []));
  expect(fields.flatMap((field) => Object.keys(field))).toEqual(["squared_error_recomputed"]);
  const bodies = JSON.stringify(specsOf(objects).map(({ spec }) => spec.data.url.body));
  expect(bodies).toContain('"squared_error"');
  expect(bodies).not.toContain("recomputed");
});

test.each<[string, object, string]>([
  ["a look too often", { refresh: "4 seconds" }, 'refresh is "4 seconds": Kibana looks every 5 seconds at most'],
  ["an index in capitals", { storeIndex: "Points" }, 'storeIndex is "Points": expected small letters'],
])("%s is refused", (_, args, message) => expect(() => kibanaObjects(args)).toThrow(message));

test("the schema refuses what Kibana would", () => {
  const [view, search, , , board] = kibanaObjects() as [object, object, object, object, { attributes: object }];
  const wrong = [
    { ...view, extra: 1 },
    { ...view, coreMigrationVersion: "9.9.0" },
    { ...board, attributes: { ...board.attributes, panelsJSON: "[" } },
    { ...board, attributes: { ...board.attributes, refreshInterval: { pause: false, value: 1000 } } },
    { ...board, attributes: { ...board.attributes, timeRestore: false } },
  ];
  for (const each of wrong) expect(kibanaObject.safeParse(each).success).toBe(false);
  expect(() => readObjects(`${JSON.stringify(search)}\n`)).toThrow("refers to index-pattern:");
  expect(() => readObjects(`${JSON.stringify(view)}\n`.repeat(2))).toThrow("is there twice");
});

/** Answers of a store, shaped as OpenSearch 2.19 gave them. */
const value = (number: number | null) => ({ value: number });
const ANSWERS: Readonly<Record<string, object>> = {
  "Global squared error": {
    aggregations: {
      topics: {
        buckets: [
          { key: "train", doc_count: 9, model: value(0.25), mean: value(1.5), noise: value(0.01), predicted: value(8) },
          { key: "test", doc_count: 3, model: value(0.5), mean: value(2), noise: value(null), predicted: value(3) },
        ],
      },
    },
  },
  "Error against offset": {
    aggregations: {
      parts: {
        buckets: [
          {
            key: { offset: 1000, topic: "train" },
            doc_count: 4,
            model: value(0.2),
            mean: value(1),
            noise: value(null),
          },
          { key: { offset: 0, topic: "train" }, doc_count: 4, model: value(0.4), mean: value(2), noise: value(0.01) },
        ],
      },
    },
  },
  "Points and predictions": {
    hits: {
      hits: [1, 2, 3].map((x1) => ({ _id: `train-0-${x1}`, _source: { topic: "train", x1, y: x1, pred: 0.5 } })),
    },
  },
  "Set aside": {
    aggregations: { reasons: { buckets: [{ key: { reason: "late", topic: "test" }, doc_count: 7 }] } },
  },
};

test("each panel draws what the store answers", async () => {
  const drawn: Record<string, readonly unknown[]> = {};
  for (const { title, spec } of specsOf(made()).slice(0, 4)) {
    const { rows, svg } = await draw(spec, ANSWERS[title] as object);
    expect(svg, title).toMatch(/<path [^>]*(role="graphics-symbol"|aria-label)|<text/);
    drawn[title] = rows.map((row) => [
      row.key ?? row.topic,
      row.what ?? row.reason,
      row.shown ?? row.error ?? row.value ?? row.doc_count,
    ]);
  }
  expect(drawn).toEqual({
    "Global squared error": [
      ["train", "model", "0.2500"],
      ["train", "mean", "1.500"],
      ["train", "noise", "0.01000"],
      ["train", "predicted", "8"],
      ["test", "model", "0.5000"],
      ["test", "mean", "2.000"],
      ["test", "predicted", "3"],
    ],
    "Error against offset": expect.arrayContaining([
      [{ offset: 1000, topic: "train" }, "model", 0.2],
      [{ offset: 0, topic: "train" }, "noise", 0.01],
    ]),
    "Points and predictions": expect.arrayContaining([
      ["train", "recorded", 3],
      ["train", "predicted", 0.5],
    ]),
    "Set aside": [[{ reason: "late", topic: "test" }, "late", 7]],
  });
  expect(drawn["Error against offset"]).toHaveLength(5);
  expect(drawn["Points and predictions"]).toHaveLength(6);
});
