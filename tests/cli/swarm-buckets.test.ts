/** The commands for a stack on Docker Swarm whose lake is a bucket: a docker that is a stand-in, and clouds that are. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { openLake } from "../../cli/aws/lake.ts";
import { readJson } from "../../clients/lake/read.ts";
import { Exit, TransientError, UsageError } from "../../core/errors.ts";
import { startStorage } from "../google/storage.ts";
import { type Moto, startMoto } from "../moto.ts";
import { contextOf } from "./attached.ts";
import { dockerIn, ended, SERVICE, SERVICE_IS, task } from "./docker-stub.ts";
import { type StackInCloud, stackInCloud } from "./stack.ts";

const CLI = fileURLToPath(new URL("../../cli/oneoff.mjs", import.meta.url));
const BUCKET = "a-bucket";
const scratch = mkdtempSync(join(tmpdir(), "oneoff-buckets-"));
const bin = join(scratch, "bin");
mkdirSync(bin);
const docker = dockerIn(bin);

let stack: StackInCloud;
let page: Server;
let url: string;

beforeAll(async () => {
  page = createServer((_, response) => response.end("{}")).listen(0, "127.0.0.1");
  await once(page, "listening");
  url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  stack = await stackInCloud(
    "swarm",
    { "oneoff:job": "london-power", "oneoff:region": "us-west-2" },
    {
      ...{ PATH: [bin, join(process.cwd(), "node_modules/.bin"), process.env.PATH].join(delimiter) },
      ...{ DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined, BROWSER: "/bin/true" },
    },
    { cluster: "swarm" },
  );
}, 120_000);
afterAll(() => {
  stack.remove();
  page.close();
  page.closeAllConnections();
  rmSync(scratch, { recursive: true });
});
beforeEach(() => docker.answers(task({}), SERVICE_IS));

const lakeIs = (lake: string) => stack.setOutputs({ cluster: "swarm", run: "1", service: SERVICE, lake, spark: url });

/** The command while it runs. */
function command(env: NodeJS.ProcessEnv, ...args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: stack.folder, env: { ...stack.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output += chunk;
    });
  const over = once(child, "close");
  return {
    until: (text: string) => expect.poll(() => output).toContain(text),
    async end() {
      const [code] = await over;
      return { code: code as number, output };
    },
  };
}
const oneoff = (env: NodeJS.ProcessEnv, ...args: readonly string[]) => command(env, ...args).end();

/** Where nobody has logged in. */
const NOBODY: NodeJS.ProcessEnv = {
  ...{ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SESSION_TOKEN: undefined },
  ...{ AWS_CONFIG_FILE: "/nowhere", AWS_SHARED_CREDENTIALS_FILE: "/nowhere", AWS_EC2_METADATA_DISABLED: "true" },
  GOOGLE_APPLICATION_CREDENTIALS: "/nowhere/key.json",
};

interface Cloud {
  /** Environment with which it is found. */
  readonly env: NodeJS.ProcessEnv;
  /** The same where nobody has logged in. */
  readonly nobody: NodeJS.ProcessEnv;
  /** The same where no bucket is. */
  readonly empty: NodeJS.ProcessEnv;
  put(key: string, content: string | Uint8Array): Promise<unknown>;
  close(): void;
}

async function startS3(): Promise<Cloud> {
  const moto = await startMoto();
  const { AWS_REGION: _, AWS_DEFAULT_REGION: __, ...env } = moto.env; // the stack's settings have it
  const s3 = new S3Client({ region: "us-west-2", forcePathStyle: true });
  const CreateBucketConfiguration = { LocationConstraint: "us-west-2" } as const;
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration }));
  return {
    env,
    empty: env,
    nobody: { ...NOBODY, AWS_ENDPOINT_URL: moto.url },
    put: (Key, content) => s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: Buffer.from(content) })),
    close() {
      s3.destroy();
      moto.close();
    },
  };
}

async function startGcs(): Promise<Cloud> {
  const storage = await startStorage();
  await storage.makeBucket(BUCKET);
  // What stands in for it takes a bucket that is not there for one without objects.
  const message = "The specified bucket does not exist.";
  const error = { code: 404, message, errors: [{ message, domain: "global", reason: "notFound" }] };
  const empty = createServer(({ url }, response) => {
    const isMedia = url?.includes("alt=media");
    response.writeHead(404, { "Content-Type": isMedia ? "text/html" : "application/json" });
    response.end(isMedia ? message : JSON.stringify({ error }));
  });
  await once(empty.listen(0, "127.0.0.1"), "listening");
  const { port } = empty.address() as AddressInfo;
  return {
    env: storage.env,
    empty: { CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `http://127.0.0.1:${port}` },
    nobody: NOBODY, // a plain address is asked without credentials
    put: (key, content) => storage.put(BUCKET, key, content),
    close() {
      storage.close();
      empty.close();
      empty.closeAllConnections();
    },
  };
}

interface Kind {
  readonly tags: readonly string[];
  start(): Promise<Cloud>;
  /** Paths in the bucket, each with a number that stands in its table. */
  readonly lakes: readonly [path: string, kwh: number][];
  /** What is said of a bucket that is not there. */
  readonly gone: string;
  /** What is said where nobody has logged in, as it begins. */
  readonly login: string;
}

const CLOUDS: Readonly<Record<string, Kind>> = {
  s3: {
    ...{ tags: [], start: startS3, lakes: [["deep/lake", 7]] },
    gone: 'the bucket of lake s3://gone/lake is not there: where stack swarm made it, "npx pulumi up --refresh --stack swarm" makes it anew',
    login:
      'there are no AWS credentials: log in (such as by "aws sso login"), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (Could not load credentials from any providers)',
  },
  gs: {
    ...{ tags: ["go"], start: startGcs },
    lakes: [
      ["deep/lake", 8],
      ["", 9],
    ],
    gone: 'the bucket of lake gs://gone/lake is not there: where stack swarm made it, "npx pulumi up --refresh --stack swarm" makes it anew',
    login:
      'there are no Google credentials: log in by "gcloud auth application-default login", or set GOOGLE_APPLICATION_CREDENTIALS (',
  },
};

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const convert = { name: "convert", state: "succeeded", started: ago(600), ended: ago(590) };
const status = (more: object = {}) =>
  JSON.stringify({
    ...{ run: "1", job: "london-power", state: "running", started: ago(605) },
    steps: [convert, { name: "analyze", state: "running", progress: { what: "months", done: 1, total: 4 } }],
    ...more,
  });
const over = (state: "succeeded" | "failed", more: object = {}) =>
  status({
    state,
    ended: ago(5),
    steps: [convert, { name: "analyze", state, started: ago(65), ended: ago(5) }],
    ...more,
  });

/** A Parquet file of one row. */
async function parquet(select: string): Promise<Uint8Array> {
  const connection = await (await DuckDBInstance.create()).connect();
  const file = join(scratch, "part.parquet");
  await connection.run(`COPY (SELECT ${select}) TO '${file}' (FORMAT parquet)`);
  connection.closeSync();
  return readFileSync(file);
}

for (const [scheme, { tags, start, lakes, gone, login }] of Object.entries(CLOUDS)) {
  describe(`a lake by ${scheme}://`, { tags: [...tags] }, () => {
    let cloud: Cloud;
    beforeAll(async () => {
      cloud = await start();
    });
    afterAll(() => cloud.close());

    describe.each(lakes)("at /%s", (path, kwh) => {
      const lake = `${scheme}://${BUCKET}${path && `/${path}`}`;
      const prefix = path && `${path}/`;
      const put = (key: string, content: string | Uint8Array) => cloud.put(prefix + key, content);
      beforeAll(() => lakeIs(lake));

      test("watch follows its run to the end, with logs and progress", async () => {
        await put("_clusters/1/status.json", status());
        await put("_logs/1/convert.log", "rows 1\nrows 2\n");
        const watching = command(cloud.env, "watch", "swarm");
        await watching.until("analyze: months 1/4");
        await put("_logs/1/analyze.log", "all of them\n");
        await put("_clusters/1/status.json", over("succeeded"));
        const { code, output } = await watching.end();
        // How long it has gone on is not the same each time.
        expect(output.replace(/^\[10 min[^\]]*\]/gm, "[10 min]").split("\n")).toEqual([
          `Spark  ${url}`,
          'Ctrl-C leaves it running; "npx --no oneoff cancel swarm" ends it.',
          "convert | rows 1",
          "convert | rows 2",
          "[10 min] convert: succeeded in 10 s",
          "[10 min] analyze: months 1/4",
          "analyze | all of them",
          "[10 min] analyze: succeeded in 1 min",
          "Run 1 of london-power succeeded after 10 min.",
          "",
        ]);
        expect(code).toBe(0);
      });

      test("get writes a table of its run, and says which there is none of", async () => {
        const part = async (area: string, select: string) =>
          put(`monthly/run=1/area=${area}/part-0.parquet`, await parquet(select));
        await part("north", `1 AS month, ${kwh}.5::DOUBLE AS kwh`);
        await part("south", `2 AS month, ${kwh}.25::DOUBLE AS kwh`);
        await put("monthly/run=1/_SUCCESS", "");
        await put("monthly/run=10/part-0.parquet", "of another run");
        expect(await oneoff(cloud.env, "get", "monthly", "--stack", "swarm")).toEqual({
          code: 0,
          output: `month,kwh,area\n1,${kwh}.5,north\n2,${kwh}.25,south\n`,
        });
        expect(await oneoff(cloud.env, "get", "tariffs", "--stack", "swarm")).toEqual({
          code: 6,
          output: `oneoff: run 1 has no table tariffs in ${lake}: there is monthly\n`,
        });
      });
    });

    describe("with what is said of its run", () => {
      const put = (key: string, content: string) => cloud.put(`deep/lake/${key}`, content);
      beforeAll(() => lakeIs(`${scheme}://${BUCKET}/deep/lake`));

      test("a run that failed is the command's failure", async () => {
        await put("_clusters/1/status.json", over("failed", { error: 'step "analyze" failed (exit 1): no luck' }));
        await put("_logs/1/analyze.log", "trying\nno luck\n");
        const { code, output } = await oneoff(cloud.env, "watch", "swarm", "--no-logs");
        expect(output).toContain("The last lines of step analyze:\n  trying\n  no luck\n");
        expect(output).toContain('failed after 10 min: step "analyze" failed (exit 1): no luck\n');
        expect(code).toBe(1);
      });

      test("what the container left unsaid is told by Docker", async () => {
        docker.answers(ended("Failed", '"task: non-zero exit (3)"'), SERVICE_IS);
        await put("_clusters/1/status.json", status());
        const { code, output } = await oneoff(cloud.env, "watch", "swarm", "--no-logs");
        expect(output).toContain("the job's container on node vm ended too early (task: non-zero exit (3))");
        expect(code).toBe(1);
      });

      test("a run that is there already is not computed again", async () => {
        await put("_runs/0.json", status({ run: "0" }));
        const { code, output } = await oneoff(cloud.env, "run", "swarm", "--id", "0");
        expect(output).toBe('oneoff: --id is "0": that run is there already; choose another id\n');
        expect(code).toBe(2);
      });
    });

    test("a bucket that is not there is told of in one sentence, and the cluster's pages open", async () => {
      await lakeIs(`${scheme}://gone/lake`);
      expect(await oneoff(cloud.empty, "watch", "swarm")).toEqual(refused(Exit.usage, gone, `Spark  ${url}\n`));
      expect(await oneoff(cloud.empty, "get", "monthly", "--stack", "swarm")).toEqual(refused(Exit.usage, gone));
      expect(await oneoff(cloud.empty, "run", "swarm", "--id", "2")).toEqual(refused(Exit.usage, gone));
      expect(await oneoff(cloud.empty, "open", "swarm", "--ui", "spark")).toEqual({
        code: 0,
        output: `Spark: ${url}\n`,
      });
    });

    test("who has not logged in is told how, and the cluster's pages open", async () => {
      await lakeIs(`${scheme}://${BUCKET}/deep/lake`);
      expect(await oneoff(cloud.nobody, "watch", "swarm")).toEqual(refused(Exit.login, login, `Spark  ${url}\n`));
      expect(await oneoff(cloud.nobody, "get", "monthly", "--stack", "swarm")).toEqual(refused(Exit.login, login));
      expect(await oneoff(cloud.nobody, "open", "swarm", "--ui", "spark")).toEqual({
        code: 0,
        output: `Spark: ${url}\n`,
      });
    });
  });
}

describe("what explains the errors of S3 leaves its lake those that it tells by their names", () => {
  let moto: Moto;
  const context = contextOf("swarm", {}, { "oneoff:region": "us-west-2" });
  const storeOf = (lake: string) => openLake(context, lake);
  const asks = (lake: string) => {
    const store = storeOf(lake);
    return [
      () => store.keys("_runs/"),
      () => store.list("_runs/"),
      () => store.bytes("_runs/1.json"),
      () => store.bytes("_runs/1.json", 7),
      () => store.content("_runs/1.json"),
      () => store.fetch?.(["_runs/1.json"], scratch),
      () => readJson(store, "_runs/1.json"),
    ];
  };
  beforeAll(async () => {
    moto = await startMoto();
    const s3 = new S3Client({ region: "us-west-2", forcePathStyle: true });
    const CreateBucketConfiguration = { LocationConstraint: "us-west-2" } as const;
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration }));
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "lake/there", Body: "four" }));
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    moto.close();
  });

  test("a missing key is none, and a position after the last is the end", async () => {
    const store = storeOf(`s3://${BUCKET}/lake`);
    expect(await store.bytes("_runs/1.json")).toBeUndefined();
    expect(await store.bytes("_runs/1.json", 7)).toBeUndefined();
    expect(await readJson(store, "_runs/1.json")).toBeUndefined();
    expect(await store.bytes("there", 3)).toEqual(new Uint8Array(Buffer.from("r")));
    expect(await store.bytes("there", 4)).toEqual(new Uint8Array());
    expect(await store.bytes("there", 9)).toEqual(new Uint8Array());
    expect(await store.keys("")).toEqual(["there"]);
  });

  test("a missing bucket is an error with its cure", async () => {
    for (const ask of asks("s3://gone/lake")) {
      const error = await ask()?.then(
        () => undefined,
        (error: Error) => error,
      );
      expect(error?.message).toContain("the bucket of lake s3://gone/lake is not there");
    }
  });

  test.each([
    ["ExpiredToken", 400, UsageError, /^the AWS credentials have expired: renew them/],
    ["InvalidAccessKeyId", 403, UsageError, /^AWS doesn't take the credentials: log in again/],
    ["AccessDenied", 403, UsageError, /^AWS doesn't allow it: said so; ask for the permission/],
    ["InternalError", 500, TransientError, /^AWS has a problem of its own \(InternalError\)/],
  ])("%s is told of as it is everywhere", async (code, status, kind, message) => {
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said so</Message></Error>`;
    const server = createServer((_, response) => response.writeHead(status).end(body)).listen(0, "127.0.0.1");
    await once(server, "listening");
    vi.stubEnv("AWS_ENDPOINT_URL", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const errors = await Promise.all(
      asks(`s3://${BUCKET}/lake`).map((ask) =>
        ask()?.then(
          () => undefined,
          (error: Error) => error,
        ),
      ),
    );
    for (const error of errors) {
      expect(error).toBeInstanceOf(kind);
      expect(error?.message).toMatch(message);
    }
    vi.stubEnv("AWS_ENDPOINT_URL", moto.url);
    server.close();
    server.closeAllConnections();
  });
});

const refused = (code: Exit, sentence: string, before = "") => ({
  code,
  output: expect.stringMatching(new RegExp(`^${literally(`${before}oneoff: ${sentence}`)}[^\\n]*\\n$`)),
});
const literally = (text: string) => text.replace(/[()[\]{}.*+?^$|\\]/g, "\\$&");

test("a lake that no platform keeps is told of to who reads it", async () => {
  await lakeIs("hdfs://namenode/lake");
  const sentence = "the lake of stack swarm is hdfs://namenode/lake: expected s3://BUCKET, gs://BUCKET or a folder";
  expect(await oneoff({}, "get", "monthly", "--stack", "swarm")).toEqual({ code: 2, output: `oneoff: ${sentence}\n` });
  expect(await oneoff({}, "open", "swarm", "--ui", "spark")).toEqual({ code: 0, output: `Spark: ${url}\n` });
});
