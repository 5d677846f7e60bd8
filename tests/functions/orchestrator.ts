/** A place for orchestrators on this machine: a lake, and Google's interfaces as {@link FakeDataproc} has them. */
import { GoogleApi, storageClient } from "../../assets/google/api.ts";
import type { Timing } from "../../assets/orchestrator/context.ts";
import { RunError } from "../../assets/orchestrator/context.ts";
import type { DataprocMode, Launch } from "../../assets/orchestrator/launch.ts";
import { orchestrate } from "../../assets/orchestrator/run.ts";
import { Lake } from "../../assets/orchestrator/store.ts";
import { RunStatus } from "../../components/job/run.ts";
import { type FakeApi, startApi } from "../google/api.ts";
import { type FakeStorage, startStorage } from "../google/storage.ts";
import { FakeDataproc } from "./fake-dataproc.ts";
import { type FakeIndex, startIndex } from "./package-index.ts";

export const TIMING: Timing = { pollMs: 20, patienceMs: 400, graceMs: 0, absenceMs: 400, writeMs: 20, answerMs: 200 };

export interface Site {
  readonly storage: FakeStorage;
  readonly api: FakeApi;
  readonly index: FakeIndex;
  /** Environment with which an orchestrator finds all of them. */
  readonly env: Readonly<Record<string, string>>;
  /** Begins anew: another, empty lake, and nothing at Google's. */
  begin(): Promise<Lab>;
  close(): void;
}

/** One test's lake and Google. */
export interface Lab {
  readonly google: FakeDataproc;
  launch(mode: DataprocMode, more?: Partial<Launch>): Launch;
  put(key: string, content: unknown): Promise<void>;
  remove(key: string): Promise<void>;
  /** What a JSON object holds. */
  read<T = unknown>(key: string): Promise<T | undefined>;
  keys(prefix?: string): Promise<readonly string[]>;
  status(): Promise<RunStatus>;
  /** An orchestrator that is asked to stop by `stopping`. */
  follow(launch: Launch, timing?: Partial<Timing>, stopping?: AbortSignal): Promise<void>;
}

export const STOPPED = new RunError("the run was stopped: its stack was destroyed or its execution cancelled");

export async function startSite(): Promise<Site> {
  const [storage, api, index] = await Promise.all([startStorage(), startApi(), startIndex("json")]);
  const env = {
    ...storage.env,
    CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAPROC: api.url,
    CLOUDSDK_API_ENDPOINT_OVERRIDES_BIGQUERY: api.url,
  };
  Object.assign(process.env, env);
  const wheel = index.add("foo-1.0-py3-none-any.whl", "a wheel");
  let labs = 0;
  return {
    storage,
    api,
    index,
    env,
    async begin() {
      labs += 1;
      const bucket = `lake-${labs}`;
      await storage.makeBucket(bucket);
      await storage.put(bucket, "_wheels/abc/requirements.txt", `foo==1.0 --hash=sha256:${wheel}\n`);
      const google = new FakeDataproc();
      google.clusters.set("cluster", { state: "RUNNING" });
      api.routes = google.routes;
      return labIn(storage, google, bucket, index.url);
    },
    close() {
      for (const one of [storage, api, index]) one.close();
    },
  };
}

function labIn(storage: FakeStorage, google: FakeDataproc, bucket: string, packageIndex: string): Lab {
  const lake = new Lake(storageClient("test-project").bucket(bucket));
  const read = async <T>(key: string) => {
    const text = await storage.get(bucket, key);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  };
  return {
    google,
    launch: (mode, more = {}) => launchOf(mode, bucket, packageIndex, more),
    put: (key, content) => storage.put(bucket, key, typeof content === "string" ? content : JSON.stringify(content)),
    async remove(key) {
      await storageClient("test-project").bucket(bucket).file(key).delete();
    },
    read,
    keys: (prefix) => storage.keys(bucket, prefix),
    status: async () => RunStatus.parse(await read("_clusters/7/status.json")),
    follow: (launch, timing = {}, stopping = new AbortController().signal) =>
      orchestrate({ api: new GoogleApi(), lake, timing: { ...TIMING, ...timing }, stopping }, launch),
  };
}

const launchOf = (mode: DataprocMode, bucket: string, packageIndex: string, more: Partial<Launch>): Launch => ({
  mode,
  project: "test-project",
  region: "europe-west1",
  bucket,
  dataset: "oneoff",
  run: "7",
  job: "london-power",
  labels: { "oneoff-run": "7" },
  deadlineSeconds: 5400,
  steps: ["one", "two"].map((name) => ({
    name,
    timeLimitSeconds: 1800,
    request: { pysparkJob: { mainPythonFileUri: `gs://${bucket}/main.py`, args: ["--deadline", "{deadline}", name] } },
  })),
  tables: [],
  wheels: [{ prefix: "_wheels/abc" }],
  packageIndex,
  cluster: "cluster",
  template: "template",
  ...more,
});

/** Waits until something is so. */
export async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await is()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`it was never so: ${is}`);
}
