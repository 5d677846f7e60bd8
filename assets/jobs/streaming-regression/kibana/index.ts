/**
 * What Kibana shows of the stream's store, made from source: a data view, saved searches and dashboards, as its import takes them. The
 * shapes are those of Kibana 8.8, which newer ones migrate; they were never imported into a real one.
 */
import { type Duration, seconds } from "../../../../core/duration.ts";
import { invalid } from "../../../../core/errors.ts";
import { checkArgs } from "../../../../core/settings.ts";
import { streamingRegressionSettings } from "../settings.ts";
import { type Chart, charts, TIME } from "./charts.ts";

export interface KibanaArgs {
  /** Index of the store, as the job's `storeIndex` has it. @default "streaming-regression" */
  readonly storeIndex?: string;
  /** Topic of what is predicted, then learnt from. @default "train" */
  readonly trainTopic?: string;
  /** Topic of what is predicted alone. @default "test" */
  readonly testTopic?: string;
  /** From one look of a dashboard at the store to the next; Kibana takes no less than 5 seconds. @default "5 seconds" */
  readonly refresh?: Duration;
}

/** An object of Kibana's as a line of NDJSON has it. */
export interface KibanaObject {
  readonly id: string;
  readonly type: "index-pattern" | "search" | "dashboard";
  readonly coreMigrationVersion: string;
  readonly typeMigrationVersion: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly references: readonly KibanaReference[];
}

export interface KibanaReference {
  readonly id: string;
  readonly name: string;
  readonly type: KibanaObject["type"];
}

/** Since 8.16: https://github.com/elastic/kibana/pull/188881. */
const LEAST_SECONDS = 5;
/** What of the past is shown, and so how far back the global error goes. */
const SHOWN = "now-24h";
const COLUMNS = ["topic", "kafka_partition", "kafka_offset"];
/** The formula by which this began, for who wants to see that it comes to the same as what the job stores. */
const RECOMPUTED = {
  squared_error_recomputed: {
    type: "double",
    script: {
      source:
        "if (doc['pred'].size() > 0 && doc['y'].size() > 0) { double diff = doc['pred'].value - doc['y'].value; emit(diff * diff); }",
    },
  },
};

/** @throws UsageError when it would ask more often than Kibana does, or an argument is none of the job's. */
export function kibanaObjects({ refresh = "5 seconds", ...args }: KibanaArgs = {}): readonly KibanaObject[] {
  const { storeIndex, trainTopic, testTopic } = checkArgs("kibanaObjects", streamingRegressionSettings, args);
  const every = seconds(refresh);
  if (every < LEAST_SECONDS) throw invalid("refresh", refresh, `Kibana looks every ${LEAST_SECONDS} seconds at most`);
  const view = `${storeIndex}-view`;
  const shown = charts(storeIndex);
  const named = (name: string, title: string, query: string) =>
    dashboard({ id: `${storeIndex}-${name}`, title: `${title} (${storeIndex})`, query, charts: shown, every });
  const saved = (name: string, title: string, query: string, columns: readonly string[]) =>
    search({ id: `${storeIndex}-${name}`, title: `${title} (${storeIndex})`, query, columns, view });
  const predicted = [...COLUMNS, "y", "pred", "squared_error"];
  return [
    dataView(view, storeIndex),
    saved("train-set", "Train set", `topic: "${trainTopic}"`, predicted),
    saved("test-set", "Test set", `topic: "${testTopic}"`, predicted),
    saved("set-aside", "Set aside", "reason: *", [...COLUMNS, "reason", "detail", "record"]),
    named("train", "Train", `topic: "${trainTopic}"`),
    named("test", "Test", `topic: "${testTopic}"`),
    named("both", "Train and test", ""),
  ];
}

/** A file for Kibana's import: a line for each. */
export const ndjson = (objects: readonly KibanaObject[]): string =>
  objects.map((object) => `${JSON.stringify(object)}\n`).join("");

const MIGRATED = { coreMigrationVersion: "8.8.0", typeMigrationVersion: "8.0.0" } as const;

const dataView = (id: string, index: string): KibanaObject => ({
  ...{ id, type: "index-pattern", ...MIGRATED },
  attributes: { title: index, name: index, timeFieldName: TIME, runtimeFieldMap: JSON.stringify(RECOMPUTED) },
  references: [],
});

interface SearchArgs {
  readonly id: string;
  readonly title: string;
  readonly query: string;
  readonly columns: readonly string[];
  readonly view: string;
}

function search({ id, title, query, columns, view }: SearchArgs): KibanaObject {
  const indexRefName = "kibanaSavedObjectMeta.searchSourceJSON.index";
  return {
    ...{ id, type: "search", ...MIGRATED },
    attributes: {
      ...{ title, description: "", columns, sort: [[TIME, "desc"]] },
      kibanaSavedObjectMeta: { searchSourceJSON: JSON.stringify({ ...kuery(query), indexRefName }) },
    },
    references: [{ id: view, name: indexRefName, type: "index-pattern" }],
  };
}

interface DashboardArgs {
  readonly id: string;
  readonly title: string;
  readonly query: string;
  readonly charts: readonly Chart[];
  readonly every: number;
}

/** Its panels are in it by value: nothing that they refer to can be missing. */
function dashboard({ id, title, query, charts, every }: DashboardArgs): KibanaObject {
  return {
    ...{ id, type: "dashboard", ...MIGRATED, typeMigrationVersion: "8.9.0" },
    attributes: {
      ...{ title, description: "", version: 1, hits: 0 },
      ...{ timeRestore: true, timeFrom: SHOWN, timeTo: "now", refreshInterval: { pause: false, value: 1000 * every } },
      kibanaSavedObjectMeta: { searchSourceJSON: JSON.stringify(kuery(query)) },
      optionsJSON: JSON.stringify({ useMargins: true, syncColors: false, hidePanelTitles: false }),
      panelsJSON: JSON.stringify(charts.map(panel)),
    },
    references: [],
  };
}

/** Of the 48 columns that a dashboard has. */
const [WIDTH, HEIGHT] = [24, 15];

function panel({ title, description, spec }: Chart, at: number): object {
  const panelIndex = String(at + 1);
  const savedVis = {
    ...{ id: "", title, description, type: "vega", params: { spec: JSON.stringify(spec, null, 2) }, uiState: {} },
    data: { aggs: [], searchSource: kuery("") },
  };
  return {
    ...{ type: "visualization", panelIndex, title },
    gridData: { x: (at % 2) * WIDTH, y: Math.floor(at / 2) * HEIGHT, w: WIDTH, h: HEIGHT, i: panelIndex },
    embeddableConfig: { enhancements: {}, savedVis },
  };
}

const kuery = (query: string) => ({ query: { query, language: "kuery" }, filter: [] });
