import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import { quote, UsageError } from "../../core/errors.ts";
import { checkName } from "../../core/lake-layout.ts";
import { checkRunId, type RunRecord } from "../../core/run.ts";
import { REQUIREMENTS_LOG } from "../../core/step.ts";
import type { Identity, JobAnswer, RunsAnswer } from "./api.ts";
import { type Body, bodyHeaders, negotiate } from "./body.ts";
import type { DashboardConfig } from "./config.ts";
import { type QueryEngine, QueryError } from "./engine.ts";
import type { EventStreams } from "./events.ts";
import { type Feeds, takeRows } from "./feeds.ts";
import { failure, guard } from "./guard.ts";
import { log } from "./log.ts";
import { PageFiles } from "./page-files.ts";
import { type Rows, tablesOf } from "./rows.ts";
import { shownRuns } from "./shown-runs.ts";
import { answerLog } from "./step-log.ts";

/** What the routes need. */
export interface AppParts {
  readonly config: DashboardConfig;
  readonly engine: QueryEngine;
  readonly page: PageFiles;
  readonly rows: Rows;
  readonly streams: EventStreams;
  readonly feeds: Feeds;
}

/** What is asked for isn't there. */
class NotFound extends Error {}

/** The dashboard's routes. A browser names a panel and a run; it never sends SQL. */
export function dashboardApp({ config, engine, page, rows, streams, feeds }: AppParts): Hono {
  const app = new Hono();
  const version = async () => digest([jobAnswer(config, ""), await page.version().catch(() => "no page")]);
  app.use(guard);
  app.onError((error, context) => explain(context, error));
  app.notFound((context) => failure(context, 404, "There is nothing at this address."));

  app.get("/api/identity", (context) =>
    context.json({ name: "oneoff-dashboard", token: config.token, pid: process.pid } satisfies Identity, 200, FRESH),
  );
  app.get("/api/job", async (context) => context.json(jobAnswer(config, await version()), 200, FRESH));
  app.get("/api/runs", async (context) => {
    const runs = shownRuns(await engine.runs());
    return context.json({ now: new Date().toISOString(), runs } satisfies RunsAnswer, 200, FRESH);
  });
  app.get("/api/runs/:run/origin", async (context) => {
    const { origin = null } = await knownRun(engine, context.req.param("run"));
    return context.json(origin, 200, FRESH);
  });
  app.get("/api/runs/:run/logs/:step", async (context) => {
    const run = checkRunId(context.req.param("run"), "run");
    const step = context.req.param("step");
    // A page that follows a log asks all the time: not for all records anew.
    const { steps } = isThere(run, await engine.run(run));
    if (![REQUIREMENTS_LOG, ...steps.map(({ name }) => name)].includes(step)) {
      throw new NotFound(`Run ${quote(run)} has no step ${quote(step)}.`);
    }
    checkName(step, "step");
    return answerLog(context, (range) => engine.log(run, step, range));
  });
  app.get("/api/panels/:panel", async (context) => {
    const name = context.req.param("panel");
    const panel = config.job.panels.find((candidate) => candidate.name === name);
    if (!panel) throw new NotFound(`There is no panel ${quote(name)}.`);
    const { run } = await knownRun(engine, context.req.query("run") ?? "");
    const wanted = await rows.want(panel, run);
    const { signal } = context.req.raw;
    try {
      return await answer(context, wanted.etag, "application/json", (encoding) =>
        rows.answer(wanted, encoding, signal),
      );
    } catch (error) {
      if (signal.aborted) return context.body(null); // nobody is there to read it
      if (!(error instanceof QueryError)) throw error;
      if (!rows.closing) log(`Panel ${quote(name)} of run ${run} failed`, error.cause ?? error);
      return failure(context, 500, `The query of panel ${quote(name)} failed: ${error.message}`);
    }
  });
  app.get("/api/events", async (context) => {
    const asked = [...new Set(context.req.queries("run") ?? [])].slice(0, 2);
    const runs = await Promise.all(asked.map((run) => knownRun(engine, run)));
    return streams.open(
      context,
      runs.map(({ run }) => run),
      await version(),
    );
  });
  app.post("/api/feeds/:run", (context) =>
    takeRows(context, feeds, checkRunId(context.req.param("run"), "run"), config.feedToken),
  );
  app.get("/:file?", async (context) => {
    const name = context.req.param("file") ?? "index.html";
    if (!PageFiles.has(name)) throw new NotFound("There is nothing at this address.");
    const encoding = negotiate(context.req.header("accept-encoding"));
    const file = await page.file(name, encoding).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT"
        ? new NotFound("The page is not built: node assets/dashboard/build.ts builds it.")
        : error;
    });
    return answer(context, file.etag, file.type, async () => file.body);
  });
  return app;
}

const FRESH = { "Cache-Control": "no-store" };

function jobAnswer({ title, job, stack, engine }: DashboardConfig, version: string): JobAnswer {
  return {
    title: title ?? job.name,
    job: job.name,
    version,
    lake: engine.lake,
    ...(stack !== undefined && { stack }),
    panels: job.panels.map((panel) => {
      const { name, title, shows, chart, choice, live } = panel;
      return { name, title, shows, chart, tables: tablesOf(panel), ...(choice && { choice }), ...(live && { live }) };
    }),
  };
}

async function knownRun(engine: QueryEngine, given: string): Promise<RunRecord> {
  const run = checkRunId(given, "run");
  return isThere(
    run,
    (await engine.runs()).find((record) => record.run === run),
  );
}

function isThere(run: string, record: RunRecord | undefined): RunRecord {
  if (!record) throw new NotFound(`There is no run ${quote(run)}.`);
  return record;
}

/** A body, or 304 without looking for one when the browser has it already. */
async function answer(
  context: Context,
  etag: string,
  type: string,
  body: (encoding: Body["encoding"]) => Promise<Body>,
): Promise<Response> {
  const headers = { ETag: etag, "Cache-Control": "private, no-cache" };
  const has = (context.req.header("if-none-match") ?? "").split(",").some((tag) => tag.trim() === etag);
  if (has) return context.body(null, 304, { ...headers, Vary: "Accept-Encoding" });
  const found = await body(negotiate(context.req.header("accept-encoding")));
  return context.body(found.bytes, 200, { ...headers, "Content-Type": type, ...bodyHeaders(found) });
}

function explain(context: Context, error: Error): Response {
  if (error instanceof NotFound) return failure(context, 404, error.message);
  if (error instanceof UsageError) return failure(context, 400, `${error.message}.`);
  log(`${context.req.path} failed`, error instanceof QueryError ? (error.cause ?? error) : error);
  if (error instanceof QueryError) return failure(context, 500, `The lake could not be read: ${error.message}.`);
  return failure(context, 500, "The dashboard's server failed; its log says why.");
}

const digest = (value: unknown) => createHash("sha256").update(JSON.stringify(value)).digest("base64url").slice(0, 22);
