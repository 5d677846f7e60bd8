import type { End } from "../../core/ends.ts";
import type { Panel } from "../../core/panel.ts";
import type { RunRecord } from "../../core/run.ts";
import type { QueryResult, TableVersions, Value } from "./engine.ts";

/** What server and page say to each other. Types only, because the page's bundle must not pull in the server. */

/** `GET /api/identity` */
export interface Identity {
  readonly name: "oneoff-dashboard";
  readonly token: string;
  readonly pid: number;
}

/** `GET /api/job` */
export interface JobAnswer {
  readonly title: string;
  readonly job: string;
  /** Of job and page together: when the server comes back with another one, the page is out of date. */
  readonly version: string;
  /** Address of the lake. */
  readonly lake: string;
  /** @default it is not known of which stack the dashboard is */
  readonly stack?: string;
  readonly panels: readonly PanelAnswer[];
}

/** A panel without its SQL, which is the server's business. */
export interface PanelAnswer extends Pick<Panel, "name" | "title" | "shows" | "chart" | "choice" | "live"> {
  /** Tables that the panel reads. */
  readonly tables: readonly string[];
}

/** `GET /api/runs` and event `runs` */
export interface RunsAnswer {
  /** The server's clock, ISO 8601 in UTC: elapsed time is told by it, as the browser's may be off. */
  readonly now: string;
  /** Newest first. */
  readonly runs: readonly Omit<RunRecord, "origin">[];
}

/** `GET /api/panels/:panel?run=` */
export interface RowsAnswer extends QueryResult {
  /** Versions of the panel's tables that the rows are at least as new as. */
  readonly tables: TableVersions;
}

/** A row that a step sent as it happened. */
export type FeedRow = Readonly<Record<string, Value>>;

/** Any answer that is not 2xx or 304. */
export interface ErrorAnswer {
  /** One sentence. */
  readonly error: string;
}

/** Events of `GET /api/events?run=&run=`. The first of `runs` and of each run's `tables` says how things stand. */
export interface Events {
  readonly hello: { readonly version: string };
  readonly runs: RunsAnswer;
  readonly tables: { readonly run: string; readonly tables: TableVersions };
  /** What came of feeds, by their names; at first the last of what came before. A reader who is slow is not told all. */
  readonly rows: { readonly run: string; readonly feeds: Readonly<Record<string, readonly FeedRow[]>> };
  /** What ends by itself that people may be at work with; not told where nothing does. */
  readonly ends: { readonly ends: readonly End[] };
  /** Nothing happened, and the connection is alive. */
  readonly beat: { readonly now: string };
}
