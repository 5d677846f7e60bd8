var __defProp = Object.defineProperty;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __esm = (fn, res, err) => function __init() {
  if (err) throw err[0];
  try {
    return fn && (res = (0, fn[__getOwnPropNames(fn)[0]])(fn = 0)), res;
  } catch (e) {
    throw err = [e], e;
  }
};
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};

// engine/run-error.ts
var RunError;
var init_run_error = __esm({
  "engine/run-error.ts"() {
    "use strict";
    RunError = class extends Error {
    };
  }
});

// components/core/errors.ts
var UsageError, quote;
var init_errors = __esm({
  "components/core/errors.ts"() {
    "use strict";
    init_run_error();
    UsageError = class extends RunError {
      name = "UsageError";
    };
    quote = (value) => JSON.stringify(value) ?? String(value);
  }
});

// components/job/run.ts
import { z } from "zod";
function checkRunId(runId, setting = "runId") {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(runId)) {
    throw new UsageError(
      `${setting} is ${quote(runId)}: expected 1 to 63 letters, digits, dots, dashes or underscores, a letter or digit first`
    );
  }
  return runId;
}
var StepState, RunRecord, Progress, ClusterState, RunStatus;
var init_run = __esm({
  "components/job/run.ts"() {
    "use strict";
    init_errors();
    StepState = z.enum(["pending", "running", "succeeded", "failed"]);
    RunRecord = z.object({
      run: z.string(),
      job: z.string(),
      state: z.enum(["running", "succeeded", "failed"]),
      started: z.iso.datetime({ offset: true }),
      /** When its cluster ends whatever happens; a record that still says "running" after that was orphaned. */
      deadline: z.iso.datetime({ offset: true }).optional(),
      ended: z.iso.datetime({ offset: true }).optional(),
      /** Why it failed, in one line. */
      error: z.string().optional(),
      /** In the order they run. */
      steps: z.array(z.object({ name: z.string(), state: StepState })),
      /** Of each table once the run succeeded. Equal digests mean equal rows, whatever their order and number of files. */
      tables: z.record(z.string(), z.object({ rows: z.int(), digest: z.string() })).default({})
    });
    Progress = z.object({ what: z.string(), done: z.int(), total: z.int() });
    ClusterState = z.object({
      state: z.string(),
      reason: z.string().optional(),
      /** When it ends by itself, if it stays after its last step. */
      stays: z.iso.datetime({ offset: true }).optional()
    });
    RunStatus = RunRecord.omit({ tables: true }).extend({
      steps: z.array(
        RunRecord.shape.steps.element.extend({
          started: z.iso.datetime().optional(),
          ended: z.iso.datetime().optional(),
          progress: Progress.optional()
        })
      ),
      /** Where the cluster is rented. */
      cluster: ClusterState.optional(),
      /** What it has cost so far, in USD, about. */
      cost: z.number().optional()
    });
  }
});

// assets/dashboard/engine.ts
var QueryError;
var init_engine = __esm({
  "assets/dashboard/engine.ts"() {
    "use strict";
    QueryError = class extends Error {
      name = "QueryError";
    };
  }
});

// assets/dashboard/log.ts
function logTo(to) {
  stream = to;
}
function log(message, detail) {
  const text = detail instanceof Error ? detail.stack ?? detail.message : detail;
  stream.write(`${(/* @__PURE__ */ new Date()).toISOString()} ${message}${text === void 0 ? "" : `
  ${String(text)}`}
`);
}
var stream;
var init_log = __esm({
  "assets/dashboard/log.ts"() {
    "use strict";
    stream = process.stderr;
  }
});

// components/core/duration.ts
var init_duration = __esm({
  "components/core/duration.ts"() {
    "use strict";
    init_errors();
  }
});

// components/job/table.ts
var ColumnType;
var init_table = __esm({
  "components/job/table.ts"() {
    "use strict";
    ColumnType = {
      /** UTF-8 text. */
      string: "string",
      /** 64-bit signed integer. */
      integer: "integer",
      /** 64-bit floating point number. */
      double: "double",
      boolean: "boolean",
      /** Instant in UTC, in microseconds. */
      timestamp: "timestamp",
      /** Calendar day. */
      date: "date"
    };
  }
});

// components/job/job.ts
var placeholders, fill;
var init_job = __esm({
  "components/job/job.ts"() {
    "use strict";
    init_duration();
    init_errors();
    init_table();
    placeholders = (text) => [...text.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1]);
    fill = (text, value) => text.replace(/\{([^{}]*)\}/g, (_, name) => value(name));
  }
});

// assets/dashboard/duckdb-columns.ts
import {
  DuckDBTypeId
} from "@duckdb/node-api";
async function columnsOf(result) {
  const names = result.columnNames();
  const conversions = result.columnTypes().map((type, i) => conversionOf(type, names[i]));
  const columns = names.map(() => []);
  for await (const chunk of result) {
    for (const [i, { append }] of conversions.entries()) {
      append(columns[i], chunk.getColumnVector(i), chunk.rowCount);
    }
  }
  return names.map((name, i) => ({ name, type: conversions[i].type, values: columns[i] }));
}
function conversionOf(type, name) {
  const conversion = CONVERSIONS.get(type.typeId);
  if (!conversion)
    throw new Error(`column ${name} has type ${type}; cast it to one of ${Object.keys(ColumnType).join(", ")}`);
  return conversion;
}
var finite, asIs, doubles, integers, decimals, instants, dates, integer, double, timestamp, CONVERSIONS;
var init_duckdb_columns = __esm({
  "assets/dashboard/duckdb-columns.ts"() {
    "use strict";
    init_table();
    finite = (value) => Number.isFinite(value) ? value : null;
    asIs = (values, vector, count) => {
      for (let i = 0; i < count; i++) values.push(vector.getItem(i));
    };
    doubles = (values, vector, count) => {
      for (let i = 0; i < count; i++) {
        const value = vector.getItem(i);
        values.push(value === null ? null : finite(value));
      }
    };
    integers = (values, vector, count) => {
      for (let i = 0; i < count; i++) {
        const value = vector.getItem(i);
        values.push(value === null ? null : Number(value));
      }
    };
    decimals = (values, vector, count) => {
      for (let i = 0; i < count; i++) {
        const value = vector.getItem(i);
        values.push(value === null ? null : finite(value.toDouble()));
      }
    };
    instants = (values, vector, count) => {
      for (let i = 0; i < count; i++) {
        const value = vector.getItem(i);
        values.push(value === null ? null : new Date(Number(value.micros) / 1e3).toISOString());
      }
    };
    dates = (values, vector, count) => {
      for (let i = 0; i < count; i++) {
        const value = vector.getItem(i);
        values.push(value === null ? null : value.toString());
      }
    };
    integer = { type: ColumnType.integer, append: integers };
    double = { type: ColumnType.double, append: doubles };
    timestamp = { type: ColumnType.timestamp, append: instants };
    CONVERSIONS = /* @__PURE__ */ new Map([
      [DuckDBTypeId.BOOLEAN, { type: ColumnType.boolean, append: asIs }],
      [DuckDBTypeId.TINYINT, integer],
      [DuckDBTypeId.SMALLINT, integer],
      [DuckDBTypeId.INTEGER, integer],
      [DuckDBTypeId.BIGINT, integer],
      // Sums of integers.
      [DuckDBTypeId.HUGEINT, integer],
      [DuckDBTypeId.FLOAT, double],
      [DuckDBTypeId.DOUBLE, double],
      [DuckDBTypeId.DECIMAL, { type: ColumnType.double, append: decimals }],
      [DuckDBTypeId.VARCHAR, { type: ColumnType.string, append: asIs }],
      [DuckDBTypeId.DATE, { type: ColumnType.date, append: dates }],
      [DuckDBTypeId.TIMESTAMP, timestamp],
      [DuckDBTypeId.TIMESTAMP_TZ, timestamp]
    ]);
  }
});

// assets/local/layout.ts
import { join as join2 } from "node:path";
var layout;
var init_layout = __esm({
  "assets/local/layout.ts"() {
    "use strict";
    layout = (lake) => ({
      /** Says that the folder is a lake, so that nothing else is ever taken for one and deleted. */
      marker: join2(lake, "_lake.json"),
      table: (table, run) => join2(lake, table, `run=${run}`),
      records: join2(lake, "_runs"),
      /** The run's record; see RunRecord. */
      record: (run) => join2(lake, "_runs", `${run}.json`),
      logs: join2(lake, "_logs"),
      log: (run, step) => join2(lake, "_logs", run, `${step}.log`),
      clusters: join2(lake, "_clusters"),
      /** The local cluster of a run: its specification, its process, its status, and scratch space while it lives. */
      cluster: (run) => join2(lake, "_clusters", run),
      dashboards: join2(lake, "_dashboards"),
      dashboard: (name) => join2(lake, "_dashboards", name),
      /** What was written in JupyterLab, beside copies of assets/notebooks. */
      notebooks: join2(lake, "_notebooks"),
      /** Spark's files of events, for the history server. */
      events: join2(lake, "_spark-events"),
      /** What the steps of a run keep for each other, one folder per run, gone when it ends. */
      scratch: join2(lake, "_scratch")
    });
  }
});

// assets/dashboard/lake.ts
import { createHash as createHash4 } from "node:crypto";
function readRecord(text, run, place) {
  try {
    const record = RunRecord.parse(JSON.parse(text));
    if (record.run !== run) throw new Error(`it is of run ${record.run}`);
    checkRunId(record.run);
    return record;
  } catch (error) {
    log(`${place} is not the record of a run; it is left out`, error);
    return void 0;
  }
}
var isData, newestFirst, versionOf;
var init_lake = __esm({
  "assets/dashboard/lake.ts"() {
    "use strict";
    init_run();
    init_log();
    isData = (name, ending = "") => !/^[._]/.test(name) && name.endsWith(ending);
    newestFirst = (records) => records.filter((record) => record !== void 0).sort((a, b) => Date.parse(b.started) - Date.parse(a.started) || (a.run < b.run ? 1 : -1));
    versionOf = (files) => `${files.length}-${createHash4("sha256").update(files.join("\n")).digest("base64url").slice(0, 16)}`;
  }
});

// assets/dashboard/lake-folder.ts
import { readdir, readFile as readFile2, stat } from "node:fs/promises";
import { join as join3 } from "node:path";
async function partsBelow(folder2) {
  const found = (await entries(folder2)).filter((entry) => isData(entry.name)).sort((a, b) => a.name < b.name ? -1 : 1);
  const parts = await Promise.all(
    found.map((entry) => {
      const path = join3(folder2, entry.name);
      if (entry.isDirectory()) return partsBelow(path);
      return entry.isFile() && entry.name.endsWith(".parquet") ? [path] : [];
    })
  );
  return parts.flat();
}
async function entries(folder2) {
  try {
    return await readdir(folder2, { withFileTypes: true });
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(error.code ?? "")) return [];
    throw error;
  }
}
var LakeFolder;
var init_lake_folder = __esm({
  "assets/dashboard/lake-folder.ts"() {
    "use strict";
    init_run();
    init_layout();
    init_lake();
    LakeFolder = class {
      #root;
      #records = /* @__PURE__ */ new Map();
      #versions = /* @__PURE__ */ new Map();
      constructor(root) {
        this.#root = root;
      }
      /** Newest first. A file that is not a run record is left out, and the log says so once. */
      async runs() {
        const folder2 = layout(this.#root).records;
        const names = (await entries(folder2)).filter((entry) => entry.isFile() && isData(entry.name, ".json"));
        return newestFirst(await Promise.all(names.map((entry) => this.#record(join3(folder2, entry.name), entry.name))));
      }
      /** Absolute paths of the part files of one run of a table, in the order of their names. */
      async partFiles(table, run) {
        return partsBelow(layout(this.#root).table(table, checkRunId(run)));
      }
      async version(table, run) {
        const files = await this.partFiles(table, run);
        const version = versionOf(files);
        const key = `${table}/${run}`;
        const known = this.#versions.get(key);
        if (known?.version === version) return known;
        const times = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs));
        const fresh = { version, ...times.length > 0 && { updated: new Date(Math.max(...times)).toISOString() } };
        this.#versions.set(key, fresh);
        return fresh;
      }
      async #record(path, name) {
        const found = await stat(path).catch(() => void 0);
        if (!found) return void 0;
        const key = `${found.ino} ${found.mtimeMs} ${found.size}`;
        const known = this.#records.get(path);
        if (known?.key === key) return known.record;
        const text = await readFile2(path, "utf8").catch((error) => `unreadable: ${error.message}`);
        const record = readRecord(text, name.slice(0, -".json".length), path);
        this.#records.set(path, { key, record });
        return record;
      }
    };
  }
});

// assets/dashboard/duckdb.ts
var duckdb_exports = {};
__export(duckdb_exports, {
  DuckDbEngine: () => DuckDbEngine,
  SQL_TYPE: () => SQL_TYPE,
  literal: () => literal
});
import { realpath } from "node:fs/promises";
import { DuckDBInstance, StatementType } from "@duckdb/node-api";
async function openLocked(lake) {
  const root = await realpath(lake).catch(() => lake);
  const database = await DuckDBInstance.create(":memory:", {
    memory_limit: "256MB",
    threads: "2",
    temp_directory: "",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false"
  });
  const connection = await database.connect();
  try {
    await connection.run("SET GLOBAL TimeZone = 'UTC'");
    await connection.run(`SET GLOBAL allowed_directories = [${literal(root)}, ${literal(lake)}]`);
    await connection.run("SET GLOBAL enable_external_access = false");
    await connection.run("SET GLOBAL lock_configuration = true");
  } finally {
    connection.closeSync();
  }
  return database;
}
function relation(table, files) {
  const cast = (value) => table.columns.map(({ name, type }) => `CAST(${value(`"${name}"`)} AS ${SQL_TYPE[type]}) AS "${name}"`).join(", ");
  if (files.length === 0) return `(SELECT ${cast(() => "NULL")} WHERE false)`;
  const partitions = new Set(table.partitions?.map((name) => `"${name}"`));
  const column = (name) => partitions.has(name) ? `nullif(${name}, '__HIVE_DEFAULT_PARTITION__')` : name;
  const from = `read_parquet([${files.map(literal).join(", ")}], hive_partitioning = true, hive_types_autocast = false)`;
  return `(SELECT ${cast(column)} FROM ${from})`;
}
async function select(connection, sql, signal) {
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) throw new Error("it must be one SELECT");
  const statement = await statements.prepare(0);
  const stop = () => connection.interrupt();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    signal?.throwIfAborted();
    if (statement.statementType !== StatementType.SELECT) throw new Error("it must be a SELECT");
    return await columnsOf(await statement.stream());
  } finally {
    signal?.removeEventListener("abort", stop);
    statement.destroySync();
  }
}
var SQL_TYPE, DuckDbEngine, literal, firstSentence;
var init_duckdb = __esm({
  "assets/dashboard/duckdb.ts"() {
    "use strict";
    init_job();
    init_duckdb_columns();
    init_engine();
    init_lake_folder();
    SQL_TYPE = {
      string: "VARCHAR",
      integer: "BIGINT",
      double: "DOUBLE",
      boolean: "BOOLEAN",
      timestamp: "TIMESTAMP",
      date: "DATE"
    };
    DuckDbEngine = class {
      pollMilliseconds = 300;
      #lake;
      #job;
      #tables;
      #folder;
      #working = /* @__PURE__ */ new Set();
      #database;
      #closed = false;
      constructor({ lake, job }) {
        this.#lake = lake;
        this.#job = job.name;
        this.#tables = new Map(job.tables.map((table) => [table.name, table]));
        this.#folder = new LakeFolder(lake);
      }
      async runs() {
        return (await this.#folder.runs()).filter((record) => record.job === this.#job);
      }
      async versions(run) {
        const names = [...this.#tables.keys()];
        const versions = await Promise.all(names.map((table) => this.#folder.version(table, run)));
        return Object.fromEntries(names.map((name, i) => [name, versions[i]]));
      }
      async query(sql, run, { signal } = {}) {
        const started = performance.now();
        const text = await this.#withRelations(sql, run);
        try {
          const columns = await this.#use((connection) => select(connection, text, signal));
          const rows = columns[0]?.values.length ?? 0;
          return { columns, rows, statistics: { milliseconds: performance.now() - started } };
        } catch (error) {
          const message = signal?.aborted ? "it took too long" : firstSentence(error, this.#lake);
          throw new QueryError(message, { cause: error });
        }
      }
      /** Waits for queries that are under way: closing the database under one would end the process. */
      async close() {
        this.#closed = true;
        await Promise.allSettled(this.#working);
        (await this.#database?.catch(() => void 0))?.closeSync();
      }
      async #use(work) {
        if (this.#closed) throw new Error("the dashboard is ending");
        const result = this.#lend(work);
        this.#working.add(result);
        const forget = () => this.#working.delete(result);
        result.then(forget, forget);
        return result;
      }
      /** Lends a connection to a database that is opened for the first query: before that there may be no folder to lock it to. */
      async #lend(work) {
        this.#database ??= openLocked(this.#lake);
        const connection = await (await this.#database).connect();
        try {
          return await work(connection);
        } finally {
          connection.closeSync();
        }
      }
      async #withRelations(sql, run) {
        const relations = /* @__PURE__ */ new Map();
        for (const [name, table] of this.#tables) {
          if (sql.includes(`{${name}}`)) relations.set(name, relation(table, await this.#folder.partFiles(name, run)));
        }
        return fill(sql, (name) => {
          const found = relations.get(name);
          if (found === void 0) throw new QueryError(`there is no table {${name}}`);
          return found;
        });
      }
    };
    literal = (text) => `'${text.replaceAll("'", "''")}'`;
    firstSentence = ({ message }, lake) => message.replace("Failed to extract statements: ", "").replaceAll(`${lake}/`, "").split("\n")[0].slice(
      0,
      300
    );
  }
});

// assets/local/dashboard.ts
import { join as join5 } from "node:path";

// assets/dashboard/server.ts
init_errors();
import { realpathSync } from "node:fs";
import { readFile as readFile3 } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createAdaptorServer } from "@hono/node-server";

// assets/dashboard/app.ts
init_errors();
init_run();
import { createHash as createHash3 } from "node:crypto";
import { Hono } from "hono";

// assets/dashboard/body.ts
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createBrotliCompress, createGzip } from "node:zlib";
var Encoding = { br: "br", gzip: "gzip", identity: "identity" };
function negotiate(acceptEncoding) {
  const accepted = (acceptEncoding ?? "").split(",").map((item) => item.trim());
  return accepted.includes("br") ? Encoding.br : accepted.includes("gzip") ? Encoding.gzip : Encoding.identity;
}
async function encode(pieces, encoding) {
  const packed = [];
  const source = Readable.from(gathered(pieces), { objectMode: false });
  const pack = { br: brotli, gzip: () => createGzip({ level: 1 }), identity: () => new PassThrough() }[encoding]();
  await pipeline(source, pack, async (output) => {
    for await (const piece of output) packed.push(piece);
  });
  return { bytes: Buffer.concat(packed), encoding };
}
function* gathered(pieces) {
  let crumbs = [];
  let size = 0;
  for (const piece of pieces) {
    crumbs.push(Buffer.from(piece));
    size += crumbs.at(-1).length;
    if (size < GATHERED_BYTES) continue;
    yield Buffer.concat(crumbs);
    crumbs = [];
    size = 0;
  }
  yield Buffer.concat(crumbs);
}
var GATHERED_BYTES = 128 * 1024;
var brotli = () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
var bodyHeaders = ({ bytes, encoding }) => ({
  "Content-Length": String(bytes.length),
  Vary: "Accept-Encoding",
  ...encoding !== Encoding.identity && { "Content-Encoding": encoding }
});

// assets/dashboard/app.ts
init_engine();

// assets/dashboard/events.ts
import { streamSSE } from "hono/streaming";
var BEAT_MILLISECONDS = 1e4;
var RETRY_MILLISECONDS = 1e3;
var SHOWN_RUNS = 200;
var EventStreams = class {
  #watch;
  #open = /* @__PURE__ */ new Set();
  constructor(watch) {
    this.#watch = watch;
  }
  open(context, runIds, version) {
    context.header("X-Accel-Buffering", "no");
    return streamSSE(context, (stream2) => this.#run(stream2, runIds, version));
  }
  /** Ends every stream, so that the server can end. */
  close() {
    for (const end2 of this.#open) end2();
  }
  async #run(stream2, runIds, version) {
    const send = (event, data, retry) => void stream2.writeSSE({ event, data: JSON.stringify(data), ...retry && { retry } });
    const now = () => (/* @__PURE__ */ new Date()).toISOString();
    send("hello", { version }, RETRY_MILLISECONDS);
    const unsubscribe = this.#watch.subscribe({
      runIds,
      runs: (records) => send("runs", { now: now(), runs: records.slice(0, SHOWN_RUNS) }),
      tables: (run, tables) => send("tables", { run, tables })
    });
    const beat = setInterval(() => send("beat", { now: now() }), BEAT_MILLISECONDS);
    await new Promise((end2) => {
      this.#open.add(end2);
      stream2.onAbort(() => {
        this.#open.delete(end2);
        end2();
      });
    });
    clearInterval(beat);
    unsubscribe();
  }
};

// assets/dashboard/guard.ts
var HEADERS = {
  "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff"
};
var guard = async (context, next) => {
  const refusal = refuse(context);
  if (refusal) context.res = refusal;
  else await next();
  for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value);
};
var failure = (context, status, error) => context.json({ error }, status, { "Cache-Control": "no-store" });
function refuse(context) {
  const host = context.req.header("host") ?? "";
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)) {
    return failure(context, 403, "Open the dashboard as http://127.0.0.1 or http://localhost.");
  }
  if (!sameOrigin(context, host)) return failure(context, 403, "Another site's page may not read the dashboard.");
  if (context.req.method !== "GET" && context.req.method !== "HEAD") {
    return failure(context, 405, "The dashboard can only be read.");
  }
  return void 0;
}
function sameOrigin(context, host) {
  const origin = context.req.header("origin");
  if (origin !== void 0 && origin !== `http://${host}`) return false;
  const site = context.req.header("sec-fetch-site") ?? "none";
  const followed = context.req.path === "/" && context.req.header("sec-fetch-mode") === "navigate";
  return site === "same-origin" || site === "none" || followed;
}

// assets/dashboard/app.ts
init_log();

// assets/dashboard/page-files.ts
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
var TYPES = {
  "index.html": "text/html; charset=utf-8",
  "style.css": "text/css; charset=utf-8",
  "page.js": "text/javascript; charset=utf-8",
  "vega.js": "text/javascript; charset=utf-8",
  "icon.svg": "image/svg+xml"
};
function pageFolder() {
  const beside = join(import.meta.dirname, "page");
  return existsSync(join(beside, "page.js")) ? beside : join(import.meta.dirname, "../../.oneoff/page");
}
var PageFiles = class {
  #folder;
  #encoded = /* @__PURE__ */ new Map();
  constructor(folder2) {
    this.#folder = folder2;
  }
  static has(name) {
    return Object.hasOwn(TYPES, name);
  }
  /** Changes when the page is built anew. */
  async version() {
    const contents = await Promise.all(Object.keys(TYPES).map((name) => this.#read(name)));
    return contents.reduce((hash, content) => hash.update(content), createHash("sha256")).digest("base64url");
  }
  async file(name, encoding) {
    const content = await this.#read(name);
    const etag = `W/"${createHash("sha256").update(content).digest("base64url").slice(0, 22)}"`;
    const key = `${etag} ${encoding}`;
    const body = this.#encoded.get(key) ?? encode([content], encoding);
    this.#encoded.set(key, body);
    return { type: TYPES[name], etag, body: await body };
  }
  #read(name) {
    return readFile(join(this.#folder, name));
  }
};

// assets/dashboard/rows.ts
init_job();
import { createHash as createHash2 } from "node:crypto";

// assets/dashboard/shared-query.ts
import { gzipSync } from "node:zlib";

// assets/dashboard/abortable.ts
async function untilLeft(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

// assets/dashboard/shared-query.ts
var SharedQuery = class {
  /** Settled when the engine is done with it. */
  ended;
  #tables;
  #result;
  #bodies = /* @__PURE__ */ new Map();
  #left = new AbortController();
  #over;
  #waiting = 0;
  constructor(tables, { ask, over }) {
    this.#tables = tables;
    this.#over = over;
    this.#result = ask(this.#left.signal);
    this.ended = this.#result.catch(() => void 0);
  }
  /** The answer in an encoding. Rejected as soon as `signal` is aborted. */
  async body(encoding, signal) {
    this.#waiting += 1;
    const body = this.#bodies.get(encoding) ?? this.#encode(encoding);
    this.#bodies.set(encoding, body);
    try {
      return await untilLeft(body, signal);
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0) {
        this.#over();
        this.#left.abort();
      }
    }
  }
  async #encode(encoding) {
    const result = await this.#result;
    return encode(json({ ...result, tables: this.#tables }), pays(result) ? encoding : Encoding.identity);
  }
};
var MANY_VALUES = 1e5;
var SAMPLE = 500;
function pays({ columns, rows }) {
  if (rows * columns.length < MANY_VALUES) return true;
  const sample = JSON.stringify(columns.map(({ values }) => values.slice(0, SAMPLE)));
  return gzipSync(sample, { level: 1 }).length * 3 < sample.length;
}
var PIECE = 8192;
function* json({ columns, ...rest }) {
  yield `${JSON.stringify(rest).slice(0, -1)},"columns":[`;
  for (const [i, { values, ...column }] of columns.entries()) {
    yield `${i > 0 ? "," : ""}${JSON.stringify(column).slice(0, -1)},"values":[`;
    for (let from = 0; from < values.length; from += PIECE) {
      yield `${from > 0 ? "," : ""}${JSON.stringify(values.slice(from, from + PIECE)).slice(1, -1)}`;
    }
    yield "]}";
  }
  yield "]}";
}

// assets/dashboard/rows.ts
var LIMIT_MILLISECONDS = 6e4;
var KEPT_BYTES = 16 * 1024 * 1024;
var tablesOf = (panel) => [...new Set(placeholders(panel.sql))];
var Rows = class {
  #engine;
  #answers = /* @__PURE__ */ new Map();
  #asked = /* @__PURE__ */ new Map();
  /** The end of the last query of each panel and run: there is one at a time, and the next waits for it. */
  #turns = /* @__PURE__ */ new Map();
  #closing = new AbortController();
  constructor(engine) {
    this.#engine = engine;
  }
  async want(panel, run) {
    const versions = await this.#engine.versions(run);
    const tables = Object.fromEntries(Object.entries(versions).filter(([name]) => tablesOf(panel).includes(name)));
    const digest2 = createHash2("sha256").update(JSON.stringify([panel.sql, run, tables])).digest("base64url");
    return { panel, run, tables, etag: `W/"${digest2.slice(0, 22)}"` };
  }
  /** `signal` says that who asked has left: the query ends with the last of those who wait for it. */
  async answer(wanted, encoding, signal) {
    const key = `${wanted.etag} ${encoding}`;
    const kept = this.#answers.get(key);
    if (kept) {
      this.#answers.delete(key);
      this.#answers.set(key, kept);
      return kept;
    }
    const query = this.#asked.get(wanted.etag) ?? this.#ask(wanted);
    const body = await query.body(encoding, signal);
    this.#keep(key, body);
    return body;
  }
  get closing() {
    return this.#closing.signal.aborted;
  }
  /** Ends queries that are under way. */
  close() {
    this.#closing.abort();
  }
  #ask(wanted) {
    const { panel, run, etag } = wanted;
    const place = `${panel.name} ${run}`;
    const before = this.#turns.get(place) ?? Promise.resolve();
    const query = new SharedQuery(wanted.tables, {
      ask: (left) => before.then(() => this.#query(wanted, left)),
      // It answers nobody who comes now: what comes of it has been kept, or it is given up.
      over: () => this.#asked.get(etag) === query && this.#asked.delete(etag)
    });
    this.#asked.set(etag, query);
    this.#turns.set(place, query.ended);
    void query.ended.then(() => this.#turns.get(place) === query.ended && this.#turns.delete(place));
    return query;
  }
  #query({ panel, run }, left) {
    const signal = AbortSignal.any([this.#closing.signal, left, AbortSignal.timeout(LIMIT_MILLISECONDS)]);
    return this.#engine.query(panel.sql, run, { signal });
  }
  #keep(key, body) {
    this.#answers.set(key, body);
    let total = [...this.#answers.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (const [oldest, { bytes }] of this.#answers) {
      if (total <= KEPT_BYTES) break;
      total -= bytes.length;
      this.#answers.delete(oldest);
    }
  }
};

// assets/dashboard/app.ts
var NotFound = class extends Error {
};
function dashboardApp({ config, engine, page, rows, streams }) {
  const app = new Hono();
  const version = async () => digest([jobAnswer(config, ""), await page.version().catch(() => "no page")]);
  app.use(guard);
  app.onError((error, context) => explain(context, error));
  app.notFound((context) => failure(context, 404, "There is nothing at this address."));
  app.get(
    "/api/identity",
    (context) => context.json({ name: "oneoff-dashboard", token: config.token, pid: process.pid }, 200, FRESH)
  );
  app.get("/api/job", async (context) => context.json(jobAnswer(config, await version()), 200, FRESH));
  app.get("/api/runs", async (context) => {
    const runs = (await engine.runs()).slice(0, SHOWN_RUNS);
    return context.json({ now: (/* @__PURE__ */ new Date()).toISOString(), runs }, 200, FRESH);
  });
  app.get("/api/panels/:panel", async (context) => {
    const name = context.req.param("panel");
    const panel = config.job.panels.find((candidate) => candidate.name === name);
    if (!panel) throw new NotFound(`There is no panel ${quote(name)}.`);
    const run = await knownRun(engine, context.req.query("run") ?? "");
    const wanted = await rows.want(panel, run);
    const { signal } = context.req.raw;
    try {
      return await answer(
        context,
        wanted.etag,
        "application/json",
        (encoding) => rows.answer(wanted, encoding, signal)
      );
    } catch (error) {
      if (signal.aborted) return context.body(null);
      if (!(error instanceof QueryError)) throw error;
      if (!rows.closing) log(`Panel ${quote(name)} of run ${run} failed`, error.cause ?? error);
      return failure(context, 500, `The query of panel ${quote(name)} failed: ${error.message}`);
    }
  });
  app.get("/api/events", async (context) => {
    const asked = [...new Set(context.req.queries("run") ?? [])].slice(0, 2);
    const runIds = await Promise.all(asked.map((run) => knownRun(engine, run)));
    return streams.open(context, runIds, await version());
  });
  app.get("/:file?", async (context) => {
    const name = context.req.param("file") ?? "index.html";
    if (!PageFiles.has(name)) throw new NotFound("There is nothing at this address.");
    const encoding = negotiate(context.req.header("accept-encoding"));
    const file = await page.file(name, encoding).catch((error) => {
      throw error.code === "ENOENT" ? new NotFound("The page is not built: node assets/dashboard/build.ts builds it.") : error;
    });
    return answer(context, file.etag, file.type, async () => file.body);
  });
  return app;
}
var FRESH = { "Cache-Control": "no-store" };
function jobAnswer({ title, job }, version) {
  return {
    title: title ?? job.name,
    job: job.name,
    version,
    panels: job.panels.map((panel) => {
      const { name, title: title2, shows, chart, choice } = panel;
      return { name, title: title2, shows, chart, tables: tablesOf(panel), ...choice && { choice } };
    })
  };
}
async function knownRun(engine, given) {
  const run = checkRunId(given, "run");
  const runs = await engine.runs();
  if (!runs.some((record) => record.run === run)) throw new NotFound(`There is no run ${quote(run)}.`);
  return run;
}
async function answer(context, etag, type, body) {
  const headers = { ETag: etag, "Cache-Control": "private, no-cache" };
  const has = (context.req.header("if-none-match") ?? "").split(",").some((tag) => tag.trim() === etag);
  if (has) return context.body(null, 304, { ...headers, Vary: "Accept-Encoding" });
  const found = await body(negotiate(context.req.header("accept-encoding")));
  return context.body(found.bytes, 200, { ...headers, "Content-Type": type, ...bodyHeaders(found) });
}
function explain(context, error) {
  if (error instanceof NotFound) return failure(context, 404, error.message);
  if (error instanceof UsageError) return failure(context, 400, `${error.message}.`);
  log(`${context.req.path} failed`, error instanceof QueryError ? error.cause ?? error : error);
  if (error instanceof QueryError) return failure(context, 500, `The lake could not be read: ${error.message}.`);
  return failure(context, 500, "The dashboard's server failed; its log says why.");
}
var digest = (value) => createHash3("sha256").update(JSON.stringify(value)).digest("base64url").slice(0, 22);

// assets/dashboard/config.ts
init_errors();
init_job();
init_table();
import { isAbsolute } from "node:path";
import { z as z2 } from "zod";

// assets/dashboard/scan-budget.ts
init_engine();
var MEGABYTE = 1024 * 1024;
var LEAST = 10 * MEGABYTE;

// assets/dashboard/config.ts
var Identifier = z2.string().regex(/^[a-z][a-z0-9_]*$/, "expected lower-case letters, digits and underscores");
var Absolute = z2.string().refine(isAbsolute, "expected an absolute path");
var TableConfig = z2.object({
  name: Identifier,
  about: z2.string(),
  columns: z2.array(z2.object({ name: Identifier, type: z2.enum(ColumnType), unit: z2.string().optional() })).min(1, "expected at least one column"),
  partitions: z2.array(Identifier).optional()
});
var PanelConfig = z2.object({
  name: z2.string().regex(/^[a-z][a-z0-9-]*$/, "expected lower-case words joined by dashes"),
  title: z2.string(),
  shows: z2.string(),
  sql: z2.string(),
  chart: z2.record(z2.string(), z2.unknown()),
  choice: z2.object({ column: z2.string(), label: z2.string(), preferred: z2.string().optional() }).optional()
});
var DashboardConfig = z2.strictObject({
  /** Heading of the page. @default the job's name */
  title: z2.string().optional(),
  job: z2.object({ name: z2.string(), tables: z2.array(TableConfig), panels: z2.array(PanelConfig) }).superRefine(({ tables, panels }, context) => {
    for (const panel of panels) {
      for (const name of placeholders(panel.sql)) {
        if (tables.some((table) => table.name === name)) continue;
        context.addIssue({
          code: "custom",
          message: `panel ${quote(panel.name)} reads {${name}}, which is no table`
        });
      }
    }
  }),
  /** Where the rows are. */
  engine: z2.discriminatedUnion("kind", [
    z2.strictObject({
      kind: z2.literal("duckdb"),
      /** The lake's folder. It need not exist yet. */
      lake: Absolute
    }),
    z2.strictObject({
      kind: z2.literal("athena"),
      region: z2.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "expected a region's name, such as us-west-2"),
      /** The lake's bucket. */
      lake: z2.string().regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "expected s3:// and the name of a bucket"),
      /** Database of the catalog in which the job's tables are. */
      database: z2.string().regex(/^[a-z0-9_-]{1,255}$/, "expected lower-case letters, digits, underscores and dashes"),
      workgroup: z2.string().regex(/^[\w.-]{1,128}$/, "expected letters, digits, underscores, dots and dashes"),
      /** Bytes that queries may be billed for in a day (UTC). A query is billed for 10 MB at least. */
      dailyScanBytes: z2.int().min(1)
    }),
    z2.strictObject({
      kind: z2.literal("bigquery"),
      /** Queries run in it, and are billed to it. */
      project: z2.string().regex(/^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/, "expected a project's id, such as my-project-1"),
      location: z2.string().regex(/^(EU|US|[a-z]+(-[a-z]+)+\d+)$/, "expected a region or EU or US, such as europe-west1"),
      /** The lake's bucket. */
      lake: z2.string().regex(/^gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, "expected gs:// and the name of a bucket"),
      /** Dataset in which the job's tables are. */
      dataset: z2.string().regex(/^[A-Za-z0-9_]{1,1024}$/, "expected letters, digits and underscores"),
      /** Bytes that queries may be billed for in a day (UTC). */
      dailyScanBytes: z2.int().min(1),
      /** Bytes that one query may be billed for. */
      queryLimitBytes: z2.int().min(LEAST, `expected ${LEAST} or more: a query is billed for 10 MB at least`)
    })
  ]),
  /** Of 127.0.0.1; 0 takes a free one. */
  port: z2.int().min(0).max(65535),
  /** Given back by `/api/identity`, so that whoever started the server can tell it from a stranger on the port. */
  token: z2.string().min(1, "expected some text"),
  /** Folder of the built page. @default where the build puts it */
  page: Absolute.optional()
});
function parseConfig(text, file) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${error.message}`);
  }
  return checkConfig(value, file);
}
function checkConfig(value, file = "the dashboard's configuration") {
  const result = DashboardConfig.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new UsageError(`${file}: ${[...issue.path.map(String), issue.message].join(": ")}`);
}

// assets/dashboard/server.ts
init_log();

// assets/dashboard/watch.ts
init_log();
import { setTimeout as sleep } from "node:timers/promises";
var LakeWatch = class {
  #engine;
  #listeners = /* @__PURE__ */ new Map();
  #wake = new AbortController();
  #looking = false;
  /** What went wrong with the last look, so that the log says it once. */
  #trouble = "";
  constructor(engine) {
    this.#engine = engine;
  }
  /** How many are told of changes. */
  get listeners() {
    return this.#listeners.size;
  }
  /** The listener is told first how things stand, then of each change. @returns what ends that. */
  subscribe(listener) {
    this.#listeners.set(listener, { versions: /* @__PURE__ */ new Map() });
    this.#wake.abort();
    if (!this.#looking) void this.#look();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#wake.abort();
    };
  }
  async #look() {
    this.#looking = true;
    while (this.#listeners.size > 0) {
      this.#wake = new AbortController();
      try {
        const sight = await this.#see();
        for (const [listener, known] of this.#listeners) tell(listener, known, sight);
        this.#trouble = "";
      } catch (error) {
        if (this.#trouble !== String(error)) log("The lake could not be looked at; it is tried again", error);
        this.#trouble = String(error);
      }
      await sleep(this.#engine.pollMilliseconds, void 0, { signal: this.#wake.signal }).catch(() => void 0);
    }
    this.#looking = false;
  }
  async #see() {
    const runIds = [...new Set([...this.#listeners.keys()].flatMap((listener) => listener.runIds))];
    const [records, ...versions] = await Promise.all([
      this.#engine.runs(),
      ...runIds.map((run) => this.#engine.versions(run))
    ]);
    return { records, tables: new Map(runIds.map((run, i) => [run, versions[i]])) };
  }
};
function tell(listener, known, { records, tables }) {
  const runs = JSON.stringify(records);
  if (runs !== known.runs) {
    known.runs = runs;
    listener.runs(records);
  }
  for (const run of listener.runIds) {
    const changed = Object.entries(tables.get(run) ?? {}).filter(
      ([table, { version }]) => known.versions.get(`${run}/${table}`) !== version
    );
    for (const [table, { version }] of changed) known.versions.set(`${run}/${table}`, version);
    if (changed.length > 0) listener.tables(run, Object.fromEntries(changed));
  }
}

// assets/dashboard/server.ts
async function serve(given, address = "127.0.0.1") {
  const config = checkConfig(given);
  const engine = await engineOf(config);
  const watch = new LakeWatch(engine);
  const streams = new EventStreams(watch);
  const rows = new Rows(engine);
  const page = new PageFiles(config.page ?? pageFolder());
  const server2 = createAdaptorServer({ fetch: dashboardApp({ config, engine, page, rows, streams }).fetch });
  const port = await listen(server2, config.port, address);
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    get listeners() {
      return watch.listeners;
    },
    async close() {
      streams.close();
      rows.close();
      await closed(server2);
      await engine.close();
    }
  };
}
async function engineOf({ engine, job }) {
  switch (engine.kind) {
    case "duckdb": {
      const { DuckDbEngine: DuckDbEngine2 } = await Promise.resolve().then(() => (init_duckdb(), duckdb_exports));
      return new DuckDbEngine2({ lake: engine.lake, job });
    }
    case "athena": {
      const { AthenaEngine } = await import("./athena.ts");
      return new AthenaEngine({ ...engine, job });
    }
    case "bigquery": {
      const { BigQueryEngine } = await import("./bigquery.ts");
      return new BigQueryEngine({ ...engine, job });
    }
  }
}
function listen(server2, port, address) {
  return new Promise((resolve, reject) => {
    server2.once(
      "error",
      (error) => reject(error.code === "EADDRINUSE" ? new UsageError(`port is ${port}: another program has it`) : error)
    );
    server2.listen(port, address, () => resolve(server2.address().port));
  });
}
function closed(server2) {
  return new Promise((resolve) => {
    server2.close(() => resolve());
    server2.closeAllConnections();
  });
}
async function readConfig(file) {
  const given = process.env.ONEOFF_DASHBOARD;
  if (given !== void 0) return parseConfig(given, "ONEOFF_DASHBOARD");
  if (!file) throw new UsageError("give the configuration: node server.ts config.json");
  return parseConfig(await readFile3(file, "utf8"), file);
}
async function main(file) {
  const config = await readConfig(file);
  if (config.engine.kind !== "duckdb") logTo(process.stdout);
  const dashboard = await serve(config, process.env.ONEOFF_DASHBOARD_ADDRESS);
  log(`The dashboard is at ${dashboard.url}`);
  const end2 = (signal) => {
    log(`Ending on ${signal}`);
    void dashboard.close().then(() => process.exit(0));
  };
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, end2);
}
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv[2]).catch((error) => {
    log(
      error instanceof UsageError ? error.message : "The dashboard could not start",
      ...error instanceof UsageError ? [] : [error]
    );
    process.exit(error instanceof UsageError ? 2 : 1);
  });
}

// assets/local/json.ts
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return void 0;
  }
}
function writeJson(file, value) {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, void 0, 2)}
`, { mode: 384 });
  renameSync(temporary, file);
}

// assets/local/process.ts
import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync as mkdirSync2, openSync, readdirSync, readFileSync as readFileSync2 } from "node:fs";
import { dirname as dirname2, extname, join as join4 } from "node:path";
import { z as z3 } from "zod";
var ProcessId = z3.object({ pid: z3.int(), born: z3.string() });
function born(pid) {
  try {
    if (process.platform === "linux") {
      const fields = statFields(pid);
      if (!fields || fields[0] === "Z") return void 0;
      return `${readFileSync2("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${fields[19]}`;
    }
    const line = ps("-o", "stat=,lstart=", "-p", String(pid));
    return line === "" || line.startsWith("Z") ? void 0 : line.replace(/^\S+\s+/, "");
  } catch {
    return void 0;
  }
}
var identify = (pid) => {
  const start = born(pid);
  return start === void 0 ? void 0 : { pid, born: start };
};
var registered = (folder2) => ProcessId.safeParse(readJson(registration(folder2))).data;
function statFields(pid) {
  try {
    return readFileSync2(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  } catch {
    return void 0;
  }
}
var ps = (...args) => execFileSync("ps", args, { encoding: "utf8", env: { ...process.env, LC_ALL: "C", TZ: "UTC" } }).trim();
function register(folder2) {
  writeJson(registration(folder2), identify(process.pid));
}
var isRegistered = (folder2) => registered(folder2)?.pid === process.pid;
var registration = (folder2) => join4(folder2, "process.json");

// assets/local/dashboard.ts
var folder = process.argv[2];
register(folder);
var server = await serve(readJson(join5(folder, "config.json")));
var end = () => server.close().finally(() => process.exit());
process.once("SIGTERM", end);
setInterval(() => isRegistered(folder) || end(), 1e3).unref();
