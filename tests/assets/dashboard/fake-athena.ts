import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What becomes of a query. */
export interface Plan {
  /** How long it takes, exactly, from when it was received. @default 0 */
  readonly milliseconds?: number;
  /** Types of the result's columns by name. */
  readonly columns?: Readonly<Record<string, string>>;
  readonly rows?: readonly (readonly (string | null)[])[];
  readonly scanned?: number;
  /** @default "SUCCEEDED" */
  readonly state?: "FAILED" | "CANCELLED";
  readonly reason?: string;
  /** `s3://...` of the list of files that a CREATE TABLE left. */
  readonly manifest?: string;
}

export interface Call {
  /** As the SDK calls it: "StartQueryExecution", "GetObject". */
  readonly operation: string;
  readonly at: number;
  /** Body of the request, or the object's key. Tests know what they asked for. */
  // biome-ignore lint/suspicious/noExplicitAny: a test that reads the wrong thing fails
  readonly input: any;
}

export interface Refusal {
  readonly name: string;
  readonly message?: string;
  readonly status?: number;
  /** How often. @default always */
  times?: number;
}

interface Execution {
  readonly id: string;
  readonly sql: string;
  readonly plan: Plan;
  readonly started: number;
  readonly reused: boolean;
  stopped: boolean;
}

const OUTPUT = "lake/_results";

const WORKGROUP = {
  EnforceWorkGroupConfiguration: true,
  ResultConfiguration: { OutputLocation: `s3://${OUTPUT}/` },
  EngineVersion: { EffectiveEngineVersion: "Athena engine version 3" },
};

/** Athena and S3 by their protocols on 127.0.0.1: queries take as long as planned, and end as planned. */
export class FakeAthena {
  readonly calls: Call[] = [];
  /** Objects by bucket and key, `bucket/key`. */
  readonly objects = new Map<string, { readonly body: Buffer; readonly modified: Date }>();
  plan: (sql: string) => Plan = () => ({});
  /** The most queries that ran at the same time, by their text. */
  readonly most = new Map<string, number>();
  readonly #executions = new Map<string, Execution>();
  readonly #refusals = new Map<string, Refusal>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeAthena> {
    const server = createServer();
    const fake = new FakeAthena(server);
    server.on("request", (request, response) => void fake.#handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Environment with which an AWS SDK talks to it. */
  get env() {
    return {
      AWS_ENDPOINT_URL: this.url,
      AWS_REGION: "us-west-2",
      AWS_DEFAULT_REGION: "us-west-2",
      AWS_ACCESS_KEY_ID: "testing",
      AWS_SECRET_ACCESS_KEY: "testing",
      AWS_EC2_METADATA_DISABLED: "true",
    };
  }

  put(path: string, body: string | Buffer, modified = new Date()): void {
    this.objects.set(path, { body: Buffer.from(body), modified });
  }

  refuse(operation: string, refusal: Refusal): void {
    this.#refusals.set(operation, { times: Number.POSITIVE_INFINITY, ...refusal });
  }

  called(operation: string): readonly Call[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  get running(): number {
    return [...this.#executions.values()].filter((execution) => stateOf(execution) === "RUNNING").length;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.headers["x-amz-target"];
    const body = await text(request);
    if (typeof target === "string") {
      const operation = target.split(".")[1] as string;
      const input = JSON.parse(body);
      const refusal = this.#note(operation, input);
      if (refusal) return json(response, { __type: refusal.name, message: refusal.message }, refusal.status ?? 400);
      const answer = this.#answer(operation, input);
      return json(response, answer, "__type" in answer ? 400 : 200);
    }
    const url = new URL(request.url ?? "/", this.url);
    const path = decodeURIComponent(url.pathname.slice(1));
    const lists = url.searchParams.has("list-type");
    const operation = request.method === "GET" ? (lists ? "ListObjectsV2" : "GetObject") : `${request.method}`;
    const refusal = this.#note(operation, lists ? url.searchParams.get("prefix") : path);
    if (refusal) return xml(response, refusal.status ?? 403, refusal.name, refusal.message);
    if (lists) return this.#list(response, path, url.searchParams);
    return this.#object(request, response, path, body);
  }

  #note(operation: string, input: unknown): Refusal | undefined {
    this.calls.push({ operation, at: performance.now(), input });
    const refusal = this.#refusals.get(operation);
    if (!refusal?.times) return undefined;
    refusal.times -= 1;
    return refusal;
  }

  #answer(operation: string, input: Readonly<Record<string, unknown>>): object {
    if (operation === "StartQueryExecution") return this.#start(input);
    if (operation === "GetWorkGroup")
      return { WorkGroup: { Name: input.WorkGroup, State: "ENABLED", Configuration: WORKGROUP } };
    if (operation === "DeleteTable") return {}; // of the catalog
    const execution = this.#executions.get(input.QueryExecutionId as string);
    if (!execution) return { __type: "InvalidRequestException", message: `${operation}: no such query` };
    if (operation === "GetQueryExecution") return { QueryExecution: describe(execution) };
    if (operation === "GetQueryResults") return results(execution, input);
    if (operation === "StopQueryExecution") execution.stopped ||= stateOf(execution) === "RUNNING";
    return {};
  }

  #start(input: {
    readonly QueryString?: string;
    readonly ResultReuseConfiguration?: {
      readonly ResultReuseByAgeConfiguration: { readonly Enabled: boolean; readonly MaxAgeInMinutes: number };
    };
  }): object {
    const sql = input.QueryString ?? "";
    const plan = this.plan(sql);
    const reuse = input.ResultReuseConfiguration?.ResultReuseByAgeConfiguration;
    const reused =
      reuse?.Enabled === true &&
      [...this.#executions.values()].some((before) => before.sql === sql && stateOf(before) === "SUCCEEDED");
    const id = randomUUID();
    this.#executions.set(id, { id, sql, plan, started: performance.now(), reused, stopped: false });
    const same = [...this.#executions.values()].filter((other) => other.sql === sql && stateOf(other) === "RUNNING");
    this.most.set(sql, Math.max(this.most.get(sql) ?? 0, same.length));
    this.put(`${OUTPUT}/${id}.csv`, csv(plan));
    return { QueryExecutionId: id };
  }

  #list(response: ServerResponse, bucket: string, query: URLSearchParams): void {
    const prefix = `${bucket.replace(/\/$/, "")}/${query.get("prefix") ?? ""}`;
    const keys = [...this.objects.keys()].filter((path) => path.startsWith(prefix)).sort();
    const from = Number(query.get("continuation-token") ?? 0);
    const contents = keys.slice(from, from + 1000).map((path) => {
      const { body, modified } = this.objects.get(path) as { body: Buffer; modified: Date };
      const key = escaped(path.slice(path.indexOf("/") + 1));
      return `<Contents><Key>${key}</Key><LastModified>${modified.toISOString()}</LastModified><ETag>${etag(body)}</ETag><Size>${body.length}</Size></Contents>`;
    });
    const more = keys.length > from + 1000 ? `<NextContinuationToken>${from + 1000}</NextContinuationToken>` : "";
    response.setHeader("Content-Type", "application/xml");
    response.end(
      `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name><IsTruncated>${more !== ""}</IsTruncated>${more}${contents.join("")}</ListBucketResult>`,
    );
  }

  #object({ method, headers }: IncomingMessage, response: ServerResponse, path: string, content: string): void {
    if (method === "PUT") this.put(path, content);
    const found = this.objects.get(path);
    if (!found) {
      xml(response, 404, "NoSuchKey", "The specified key does not exist.");
      return;
    }
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
    const body = from ? found.body.subarray(Number(from), Number(to) + 1) : found.body;
    response.writeHead(from ? 206 : 200, {
      ETag: etag(found.body),
      "Last-Modified": found.modified.toUTCString(),
      "Content-Length": method === "PUT" ? 0 : body.length,
      ...(from && { "Content-Range": `bytes ${from}-${Number(from) + body.length - 1}/${found.body.length}` }),
    });
    response.end(method === "GET" ? body : undefined);
  }
}

function stateOf({ plan, started, reused, stopped }: Execution): string {
  if (stopped) return "CANCELLED";
  const runs = !reused && performance.now() < started + (plan.milliseconds ?? 0);
  return runs ? "RUNNING" : (plan.state ?? "SUCCEEDED");
}

function describe(execution: Execution): object {
  const { id, sql, plan, reused } = execution;
  const state = stateOf(execution);
  return {
    QueryExecutionId: id,
    Query: sql,
    StatementType: "DML",
    Status: {
      State: state,
      SubmissionDateTime: Date.now() / 1000,
      ...(state === plan.state && { StateChangeReason: plan.reason }),
    },
    ResultConfiguration: { OutputLocation: `s3://${OUTPUT}/${id}.csv` },
    Statistics: {
      DataScannedInBytes: plan.scanned ?? 0,
      ...(plan.manifest && { DataManifestLocation: plan.manifest }),
      ResultReuseInformation: { ReusedPreviousResult: reused },
    },
    EngineVersion: { EffectiveEngineVersion: "Athena engine version 3" },
  };
}

function results(execution: Execution, input: { readonly MaxResults?: number; readonly NextToken?: string }): object {
  if (stateOf(execution) !== "SUCCEEDED") {
    return { __type: "InvalidRequestException", message: "Query has not yet finished." };
  }
  const { columns = {}, rows = [] } = execution.plan;
  const all = [Object.keys(columns), ...rows];
  const from = Number(input.NextToken ?? 0);
  const to = from + (input.MaxResults ?? 1000);
  return {
    ResultSet: {
      Rows: all.slice(from, to).map((row) => ({
        Data: row.map((value) => (value === null ? {} : { VarCharValue: value })),
      })),
      ResultSetMetadata: {
        ColumnInfo: Object.entries(columns).map(([name, type]) => ({ Name: name, Type: type, Nullable: "UNKNOWN" })),
      },
    },
    ...(to < all.length && { NextToken: String(to) }),
    UpdateCount: 0,
  };
}

/** A result file as Athena leaves it. */
export function csv({ columns = {}, rows = [] }: Plan): string {
  const line = (row: readonly (string | null)[]) =>
    `${row.map((value) => (value === null ? "" : `"${value.replaceAll('"', '""')}"`)).join(",")}\n`;
  return [Object.keys(columns), ...rows].map(line).join("");
}

function json(response: ServerResponse, body: object, status: number): void {
  response.writeHead(status, { "Content-Type": "application/x-amz-json-1.1" });
  response.end(JSON.stringify(body));
}

function xml(response: ServerResponse, status: number, code: string, message = ""): void {
  response.writeHead(status, { "Content-Type": "application/xml" });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${escaped(message)}</Message></Error>`);
}

const etag = (body: Buffer) => `"${createHash("md5").update(body).digest("hex")}"`;
const escaped = (value: string) => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
