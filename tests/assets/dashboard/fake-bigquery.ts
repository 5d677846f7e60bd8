import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, type Asked, type FakeApi, type Route, refusal, startApi } from "../../google/api.ts";

/** What becomes of a query. */
export interface Plan {
  /** How long it takes, exactly, from when it was received. @default 0 */
  readonly milliseconds?: number;
  /** Types of the result's columns by name, "INTEGER"; "INTEGER[]" is a list. */
  readonly columns?: Readonly<Record<string, string>>;
  readonly rows?: readonly (readonly unknown[])[];
  /** Rows that an answer has at most. @default all */
  readonly pageRows?: number;
  readonly scanned?: number;
  /** What a dry run says. @default what is scanned */
  readonly expected?: number;
  /** @default "PRECISE" */
  readonly accuracy?: string;
  readonly error?: Fault;
}

export interface Fault {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

export interface Refusal extends Fault {
  /** How often. @default always */
  times?: number;
}

export interface Call {
  /** "query", "insert", "dryRun", "results", "get", "cancel" */
  readonly operation: string;
  readonly at: number;
  /** Body of the request, or its query. Tests know what they asked for. */
  // biome-ignore lint/suspicious/noExplicitAny: a test that reads the wrong thing fails
  readonly input: any;
}

interface Job {
  readonly id: string;
  readonly sql: string;
  readonly plan: Plan;
  readonly most: number;
  readonly started: number;
  readonly cached: boolean;
  stopped: boolean;
}

interface QueryInput {
  readonly query: string;
  readonly useQueryCache?: boolean;
  readonly maximumBytesBilled?: string;
  readonly timeoutMs?: number;
  readonly jobCreationMode?: string;
}

const MEGABYTE = 1024 * 1024;
const ROOT = "/bigquery/v2/projects/[^/]+";

/** BigQuery by its protocol on 127.0.0.1: queries take as long as planned, and end as planned. */
export class FakeBigQuery {
  readonly calls: Call[] = [];
  plan: (sql: string) => Plan = () => ({});
  readonly #api: FakeApi;
  readonly #jobs = new Map<string, Job>();
  readonly #refusals = new Map<string, Refusal>();
  readonly #lost = new Map<string, number>();

  private constructor(api: FakeApi) {
    this.#api = api;
  }

  static async start(): Promise<FakeBigQuery> {
    const api = await startApi();
    const fake = new FakeBigQuery(api);
    api.routes = fake.#routes();
    return fake;
  }

  /** Environment with which the dashboard's client finds it. */
  get env() {
    return { CLOUDSDK_API_ENDPOINT_OVERRIDES_BIGQUERY: this.#api.url };
  }

  refuse(operation: string, refused: Refusal): void {
    this.#refusals.set(operation, { times: Number.POSITIVE_INFINITY, ...refused });
  }

  /** Does what it is asked, and says that it could not. */
  loseAnswers(operation: string, times: number): void {
    this.#lost.set(operation, times);
  }

  /** As if nothing had been asked before. */
  forget(): void {
    this.calls.length = 0;
    this.#jobs.clear();
  }

  called(operation: string): readonly Call[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  /** Queries that were begun, by either way, as they were asked for. */
  get begun() {
    return this.calls
      .filter(({ operation }) => ["query", "insert"].includes(operation))
      .map(({ operation, input }) => (operation === "query" ? input : input.configuration.query));
  }

  get running(): number {
    return [...this.#jobs.values()].filter(isRunning).length;
  }

  close(): void {
    this.#api.close();
  }

  #routes(): readonly Route[] {
    const on = (
      method: string,
      path: string,
      operation: (asked: Asked) => string,
      answer: (input: Call["input"], id: string) => Answer | Promise<Answer>,
    ): Route => [
      new RegExp(`^${method} ${ROOT}/${path}(?:\\?|$)`),
      async (asked, found) => {
        const query = new URL(asked.path, this.#api.url).searchParams;
        const input = asked.body || Object.fromEntries(query);
        const what = operation(asked);
        const refused = this.#note(what, input);
        if (refused) return refused;
        const given = await answer(input, found[1] ?? "");
        const lost = this.#lost.get(what) ?? 0;
        this.#lost.set(what, lost - 1);
        return lost > 0 ? failure({ code: 503, reason: "backendError", message: "Try again" }) : given;
      },
    ];
    const insertion = ({ body }: Asked) =>
      (body as { configuration: { dryRun?: boolean } }).configuration.dryRun ? "dryRun" : "insert";
    return [
      on(
        "POST",
        "queries",
        () => "query",
        (input) => this.#query(input),
      ),
      on("POST", "jobs", insertion, (input) => this.#insert(input)),
      on(
        "GET",
        "queries/([^/?]+)",
        () => "results",
        (input, id) => this.#results(id, input),
      ),
      on(
        "GET",
        "jobs/([^/?]+)",
        () => "get",
        (_, id) => this.#ofJob(id, describe),
      ),
      on(
        "POST",
        "jobs/([^/?]+)/cancel",
        () => "cancel",
        (_, id) => this.#ofJob(id, (job) => ({ job: describe(stop(job)) })),
      ),
    ];
  }

  #note(operation: string, input: unknown): Answer | undefined {
    this.calls.push({ operation, at: performance.now(), input });
    const refused = this.#refusals.get(operation);
    if (!refused?.times) return undefined;
    refused.times -= 1;
    return failure(refused);
  }

  async #query(input: QueryInput): Promise<Answer> {
    const job = this.#start(randomUUID(), input);
    const { body, ...status } = await rows(job, { timeoutMs: input.timeoutMs ?? 10_000 });
    const { jobReference, ...answer } = body as { readonly jobReference?: object; readonly jobComplete?: boolean };
    // What is over at once never became a job.
    const isJob = input.jobCreationMode !== "JOB_CREATION_OPTIONAL" || !answer.jobComplete;
    return { ...status, body: { ...answer, ...(isJob ? { jobReference } : { queryId: job.id }) } };
  }

  #insert(input: {
    readonly jobReference: { readonly jobId?: string };
    readonly configuration: { readonly dryRun?: boolean; readonly query: QueryInput };
  }): Answer {
    const { jobReference, configuration } = input;
    if (configuration.dryRun) return dry(this.plan(configuration.query.query));
    const { jobId = randomUUID() } = jobReference;
    if (this.#jobs.has(jobId)) return failure({ code: 409, reason: "duplicate", message: "Already Exists: Job" });
    return { body: describe(this.#start(jobId, configuration.query)) };
  }

  #start(id: string, { query: sql, useQueryCache, maximumBytesBilled = "1e18" }: QueryInput): Job {
    const cached = useQueryCache === true && [...this.#jobs.values()].some((job) => job.sql === sql && isDone(job));
    const most = Number(maximumBytesBilled);
    const job = { id, sql, plan: this.plan(sql), most, started: performance.now(), cached, stopped: false };
    this.#jobs.set(id, job);
    return job;
  }

  #results(id: string, query: { readonly timeoutMs?: string; readonly pageToken?: string }): Answer | Promise<Answer> {
    const job = this.#jobs.get(id);
    if (!job) return failure({ code: 404, reason: "notFound", message: `Not found: Job ${id}` });
    return rows(job, { timeoutMs: Number(query.timeoutMs ?? 10_000), from: Number(query.pageToken ?? 0) });
  }

  #ofJob(id: string, answer: (job: Job) => object): Answer {
    const job = this.#jobs.get(id);
    return job ? { body: answer(job) } : failure({ code: 404, reason: "notFound", message: `Not found: Job ${id}` });
  }
}

const takes = ({ plan, cached }: Job) => (cached ? 0 : (plan.milliseconds ?? 0));
const isRunning = (job: Job) => !job.stopped && performance.now() < job.started + takes(job);
const isDone = (job: Job) => !isRunning(job) && !job.stopped && !faultOf(job);
const stop = (job: Job): Job => Object.assign(job, { stopped: job.stopped || isRunning(job) });

/** Ten megabytes at least: queries of the tests read one table. */
const billed = ({ plan, cached }: Job) =>
  cached ? 0 : Math.max(10 * MEGABYTE, Math.ceil((plan.scanned ?? 0) / MEGABYTE) * MEGABYTE);

function faultOf(job: Job): Fault | undefined {
  if (job.stopped) return { code: 400, reason: "stopped", message: "Job execution was cancelled: User requested" };
  if (billed(job) <= job.most) return job.plan.error;
  const message = `Query exceeded limit for bytes billed: ${job.most}. ${billed(job)} or higher required.`;
  return { code: 400, reason: "bytesBilledLimitExceeded", message };
}

const describe = (job: Job) => ({
  jobReference: { projectId: "test-project", jobId: job.id, location: "EU" },
  status: { state: isRunning(job) ? "RUNNING" : "DONE" },
  statistics: isRunning(job)
    ? {}
    : { query: { totalBytesBilled: String(faultOf(job) && !job.stopped ? 0 : billed(job)) } },
});

/** Holds the answer back until there are rows, or the time is up. */
async function rows(job: Job, { timeoutMs, from = 0 }: { timeoutMs: number; from?: number }): Promise<Answer> {
  const until = performance.now() + timeoutMs;
  while (isRunning(job) && performance.now() < until) {
    const left = Math.min(until, job.started + takes(job)) - performance.now();
    await sleep(Math.min(Math.ceil(left), 50));
  }
  const { jobReference } = describe(job);
  if (isRunning(job)) return { body: { jobReference, jobComplete: false } };
  const fault = faultOf(job);
  if (fault) return failure(fault);
  const { columns = {}, rows: all = [], pageRows = all.length, scanned = 0 } = job.plan;
  const to = from + pageRows;
  return {
    body: {
      jobReference,
      jobComplete: true,
      cacheHit: job.cached,
      totalBytesProcessed: String(job.cached ? 0 : scanned),
      totalRows: String(all.length),
      schema: {
        fields: Object.entries(columns).map(([name, type]) => ({
          name,
          type: type.replace("[]", ""),
          mode: type.endsWith("[]") ? "REPEATED" : "NULLABLE",
        })),
      },
      rows: all.slice(from, to).map((row) => ({ f: row.map((v) => ({ v })) })),
      ...(to < all.length && { pageToken: String(to) }),
    },
  };
}

function dry({ error, expected, scanned = 0, accuracy = "PRECISE" }: Plan): Answer {
  if (error) return failure(error);
  const query = { totalBytesProcessed: String(expected ?? scanned), totalBytesProcessedAccuracy: accuracy };
  return { body: { status: { state: "DONE" }, statistics: { query } } };
}

function failure({ code, reason, message }: Fault): Answer {
  const { body } = refusal(code, message);
  const error = { ...(body as { error: object }).error, errors: [{ domain: "global", reason, message }] };
  return { status: code, body: { error } };
}
