/** Dataproc's and BigQuery's interfaces, as far as the orchestrator uses them: with clusters, jobs, workflows and batches. */
import { type Answer, type Asked, type Route, refusal } from "../../google/api.ts";

const SITE = "projects/test-project/(?:regions|locations)/europe-west1";

export interface FakeCluster {
  state: string;
  detail?: string;
  labels?: Readonly<Record<string, string>>;
  lifecycleConfig?: Readonly<Record<string, string>>;
}

/** A job or a batch. Each look at it moves it one state on. */
export interface FakeWork {
  readonly step: string;
  readonly request: Record<string, unknown>;
  readonly requestId: string;
  states: string[];
  why?: string;
  readonly history: { readonly state: string; readonly stateStartTime: string }[];
}

export interface FakeWorkflow {
  readonly name: string;
  readonly parameters: Record<string, string>;
  readonly requestId: string;
  /** How often it was looked at. */
  stage: number;
  cancelled: boolean;
}

export interface FakeLoad {
  readonly body: { readonly configuration: { readonly load: Record<string, unknown> } };
  states: string[];
  error?: string;
}

export class FakeDataproc {
  readonly clusters = new Map<string, FakeCluster>();
  readonly jobs = new Map<string, FakeWork>();
  readonly batches = new Map<string, FakeWork>();
  readonly workflows = new Map<string, FakeWorkflow>();
  readonly loads = new Map<string, FakeLoad>();
  readonly cancelled: string[] = [];
  /** Clusters that somebody asked to delete. */
  readonly deleted: string[] = [];
  /** Steps of the template. */
  steps: readonly string[] = ["one", "two"];
  /** What a step's job goes through, by the step; the last state stays. @default pending, running, done */
  script: Record<string, { readonly states: readonly string[]; readonly why?: string }> = {};
  /** The workflow stays at this look. */
  stall = Number.POSITIVE_INFINITY;
  /** Why the workflow's cluster can't be made. */
  noCluster: string | undefined;
  /** Why loading a table fails, once each. */
  loadErrors: Record<string, string[]> = {};
  /** Answers in place of what would be, one after the other: for requests that fit. */
  readonly refusals: { readonly fits: RegExp; readonly answer: Answer; readonly met?: boolean }[] = [];
  /** Requests that are met and never answered, as for somebody who dies before the answer comes. */
  silent: RegExp | undefined;
  /** Requests that are not even met. */
  deaf: RegExp | undefined;
  /** Requests in their order. */
  readonly log: string[] = [];

  get routes(): readonly Route[] {
    return [[/^.*$/, (asked) => this.#answer(asked)]];
  }

  async #answer(asked: Asked): Promise<Answer> {
    const line = `${asked.method} ${asked.path}`;
    this.log.push(line);
    if (this.deaf?.test(line)) return new Promise<never>(() => {});
    const at = this.refusals.findIndex(({ fits }) => fits.test(line));
    const [refused] = at < 0 ? [] : this.refusals.splice(at, 1);
    if (refused && !refused.met) return refused.answer;
    const answer = this.#meet(asked, line);
    if (this.silent?.test(line)) return new Promise<never>(() => {});
    return refused?.answer ?? answer;
  }

  #meet(asked: Asked, line: string): Answer {
    const routes: readonly (readonly [string, (id: string) => Answer])[] = [
      [`GET /v1/${SITE}/clusters/([^/?:]+)`, (id) => this.#cluster(id)],
      [`DELETE /v1/${SITE}/clusters/([^/?:]+)`, (id) => this.#deleteCluster(id)],
      [`POST /v1/${SITE}/jobs:submit()`, () => this.#submit(asked.body as SubmitRequest)],
      [`GET /v1/${SITE}/jobs/([^/?:]+)`, (id) => this.#look(this.jobs, id, jobOf)],
      [`POST /v1/${SITE}/jobs/([^/?:]+):cancel`, (id) => this.#cancel(this.jobs, id)],
      [`POST /v1/${SITE}/workflowTemplates/([^/?:]+):instantiate`, (id) => this.#instantiate(id, asked.body as Start)],
      [
        `GET /v1/${SITE}/operations()(?:\\?|$)`,
        () => ({ body: { operations: [...this.workflows.values()].map((one) => this.#operation(one)) } }),
      ],
      [`GET /v1/(${SITE}/operations/[^/?:]+)`, (name) => this.#lookAtOperation(name)],
      [`POST /v1/(${SITE}/operations/[^/?:]+):cancel`, (name) => this.#cancelOperation(name)],
      [
        `POST /v1/${SITE}/batches\\?()`,
        () => this.#createBatch(new URL(asked.path, "http://x").searchParams, asked.body as Record<string, unknown>),
      ],
      [`GET /v1/${SITE}/batches/([^/?:]+)`, (id) => this.#look(this.batches, id, (work) => batchOf(id, work))],
      ["POST /bigquery/v2/projects/test-project/jobs()$", () => this.#load(asked.body as LoadRequest)],
      ["GET /bigquery/v2/projects/test-project/jobs/([^/?]+)\\?location=europe-west1", (id) => this.#lookAtLoad(id)],
    ];
    for (const [pattern, meet] of routes) {
      const found = new RegExp(`^${pattern}`).exec(line);
      if (found) return meet(found[1] ?? "");
    }
    return refusal(404, `Not found: ${line}`, "NOT_FOUND");
  }

  #cluster(id: string): Answer {
    const cluster = this.clusters.get(id);
    if (!cluster) return refusal(404, `Not found: Cluster ${id}`, "NOT_FOUND");
    const { state, detail, labels, lifecycleConfig } = cluster;
    if (state === "DELETING") this.clusters.delete(id); // at the next look
    return { body: { clusterName: id, labels, status: { state, detail }, config: { lifecycleConfig } } };
  }

  #deleteCluster(id: string): Answer {
    const cluster = this.clusters.get(id);
    if (!cluster) return refusal(404, `Not found: Cluster ${id}`, "NOT_FOUND");
    if (cluster.state === "DELETING") return refusal(400, `Cluster ${id} is being deleted`);
    cluster.state = "DELETING";
    this.deleted.push(id);
    return { body: { name: "projects/test-project/regions/europe-west1/operations/delete" } };
  }

  #submit({ requestId, job }: SubmitRequest): Answer {
    const { jobId } = job.reference;
    const cluster = this.clusters.get(job.placement.clusterName);
    if (cluster?.state !== "RUNNING") return refusal(400, `Cluster ${job.placement.clusterName} is not running`);
    const there = this.jobs.get(jobId);
    if (there?.requestId === requestId) return { body: jobOf(there) };
    if (there) return refusal(409, `Already exists: Job ${jobId}`, "ALREADY_EXISTS");
    this.jobs.set(jobId, this.#work(jobId, requestId, job, ["PENDING", "RUNNING", "DONE"]));
    return { body: jobOf(this.jobs.get(jobId) as FakeWork) };
  }

  #createBatch(query: URLSearchParams, request: Record<string, unknown>): Answer {
    const [id, requestId] = [query.get("batchId") ?? "", query.get("requestId") ?? ""];
    if (!/^[a-z0-9][a-z0-9-]{2,61}[a-z0-9]$/.test(id))
      return refusal(400, `Invalid batch id ${id}`, "INVALID_ARGUMENT");
    const there = this.batches.get(id);
    if (there && there.requestId !== requestId) return refusal(409, `Already exists: Batch ${id}`, "ALREADY_EXISTS");
    if (!there) this.batches.set(id, this.#work(id, requestId, request, ["PENDING", "RUNNING", "SUCCEEDED"]));
    return { body: { name: operationOf(id) } };
  }

  #work(id: string, requestId: string, request: Record<string, unknown>, states: readonly string[]): FakeWork {
    const step = this.steps.find((name) => new RegExp(`-${name}-[0-9a-f]{8}$`).test(id)) ?? "";
    const script = this.script[step] ?? { states };
    return {
      step,
      request,
      requestId,
      history: [],
      states: [...script.states],
      ...(script.why && { why: script.why }),
    };
  }

  #look(works: Map<string, FakeWork>, id: string, body: (work: FakeWork) => unknown): Answer {
    const work = works.get(id);
    if (!work) return refusal(404, `Not found: ${id}`, "NOT_FOUND");
    const answer = body(work);
    if (work.states.length > 1) work.states.shift();
    return { body: answer };
  }

  #cancel(works: Map<string, FakeWork>, id: string): Answer {
    const work = works.get(id);
    if (!work) return refusal(404, `Not found: ${id}`, "NOT_FOUND");
    if (/DONE|ERROR|SUCCEEDED|FAILED|CANCELLED/.test(work.states[0] ?? "")) return refusal(400, `${id} has ended`);
    work.states = ["CANCELLED"];
    this.cancelled.push(work.step);
    return { body: {} };
  }

  #instantiate(template: string, { requestId, parameters }: Start): Answer {
    if (template !== "template") return refusal(404, `Not found: ${template}`, "NOT_FOUND");
    const running = [...this.workflows.values()].find(
      (one) => one.requestId === requestId && !this.#operation(one).done,
    );
    if (running) return refusal(409, "Already exists: a workflow with this request id is running", "ALREADY_EXISTS");
    const name = `projects/test-project/regions/europe-west1/operations/op-${this.workflows.size + 1}`;
    const workflow: FakeWorkflow = { name, parameters, requestId, stage: 0, cancelled: false };
    this.workflows.set(name, workflow);
    return { body: this.#operation(workflow) };
  }

  #lookAtOperation(name: string): Answer {
    const workflow = this.workflows.get(name);
    if (!workflow) return refusal(404, `Not found: ${name}`, "NOT_FOUND");
    if (workflow.stage < this.stall) workflow.stage += 1;
    return { body: this.#operation(workflow) };
  }

  #cancelOperation(name: string): Answer {
    const workflow = this.workflows.get(name);
    if (!workflow) return this.#cancel(this.batches, name.split("/batch-").at(-1) ?? "");
    if (this.#operation(workflow).done) return refusal(400, "The workflow has ended");
    workflow.cancelled = true;
    this.cancelled.push(name);
    return { body: {} };
  }

  /** At its first look the cluster is being made; from the second on one step runs after the other. */
  #operation({ name, parameters, stage, cancelled }: FakeWorkflow) {
    const failed = this.steps.findIndex((step, at) => this.script[step]?.states.at(-1) === "ERROR" && stage > at + 2);
    const last = failed >= 0 ? failed : stage - 2;
    const nodes = this.steps.map((step, at) => {
      const state = at > last ? "BLOCKED" : at < last ? "COMPLETED" : failed >= 0 ? "FAILED" : "RUNNING";
      return { stepId: `step-${step}`, state, ...(state === "FAILED" && { error: this.script[step]?.why }) };
    });
    const done =
      cancelled || failed >= 0 || (this.noCluster !== undefined && stage > 1) || stage > this.steps.length + 2;
    const error =
      this.noCluster ?? (failed >= 0 ? "Workflow failed: a job failed" : cancelled ? "Cancelled" : undefined);
    return {
      name,
      done,
      metadata: {
        template: "projects/test-project/regions/europe-west1/workflowTemplates/template",
        parameters,
        clusterName: "oneoff-abc",
        createCluster: {
          operationId: "c",
          done: stage > 1,
          ...(this.noCluster && stage > 1 && { error: this.noCluster }),
        },
        graph: { nodes },
      },
      ...(done && error && { error: { code: 9, message: error } }),
    };
  }

  #load(body: LoadRequest): Answer {
    const { jobId } = body.jobReference;
    if (this.loads.has(jobId)) return refusal(409, `Already Exists: Job ${jobId}`, "ALREADY_EXISTS");
    const table = body.configuration.load.destinationTable.tableId;
    const error = this.loadErrors[table]?.shift();
    this.loads.set(jobId, { body, states: ["PENDING", "RUNNING", "DONE"], ...(error && { error }) });
    return { body: {} };
  }

  #lookAtLoad(id: string): Answer {
    const load = this.loads.get(id);
    if (!load) return refusal(404, `Not found: Job ${id}`, "NOT_FOUND");
    const state = load.states[0];
    if (load.states.length > 1) load.states.shift();
    const failed = state === "DONE" && load.error !== undefined;
    return {
      body: {
        status: { state, ...(failed && { errorResult: { reason: "invalid", message: load.error } }) },
        ...(state === "DONE" && !failed && { statistics: { load: { outputRows: "42" } } }),
      },
    };
  }
}

interface SubmitRequest {
  readonly requestId: string;
  readonly job: Record<string, unknown> & {
    readonly reference: { readonly jobId: string };
    readonly placement: { readonly clusterName: string };
  };
}

interface Start {
  readonly requestId: string;
  readonly parameters: Record<string, string>;
}

interface LoadRequest {
  readonly jobReference: { readonly jobId: string };
  readonly configuration: {
    readonly load: Record<string, unknown> & { readonly destinationTable: { readonly tableId: string } };
  };
}

const operationOf = (id: string) => `projects/test-project/regions/europe-west1/operations/batch-${id}`;

/** The state a work is in now, and since when. */
function stateOf(work: FakeWork) {
  const state = work.states[0] ?? "";
  if (work.history.at(-1)?.state !== state) work.history.push({ state, stateStartTime: new Date().toISOString() });
  return work.history.at(-1) as FakeWork["history"][number];
}

function jobOf(work: FakeWork) {
  const status = { ...stateOf(work), ...(work.states.length === 1 && work.why && { details: work.why }) };
  return { ...work.request, status, statusHistory: work.history.slice(0, -1) };
}

function batchOf(id: string, work: FakeWork) {
  const { state, stateStartTime } = stateOf(work);
  return {
    ...work.request,
    operation: operationOf(id),
    state,
    stateTime: stateStartTime,
    stateHistory: work.history.slice(0, -1),
    ...(work.states.length === 1 && work.why && { stateMessage: work.why }),
  };
}
