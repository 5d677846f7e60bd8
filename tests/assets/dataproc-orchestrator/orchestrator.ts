/** A place for orchestrators on this machine: a lake, and Google's interfaces as {@link FakeDataproc} has them. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach } from "vitest";
import type { Timing } from "../../../assets/dataproc-orchestrator/context.ts";
import { RunError } from "../../../assets/dataproc-orchestrator/context.ts";
import { DataprocMode, type Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import { orchestrate } from "../../../assets/dataproc-orchestrator/run.ts";
import { Lake } from "../../../assets/dataproc-orchestrator/store.ts";
import { GoogleApi, storageClient } from "../../../clients/google.ts";
import { RunStatus } from "../../../core/run.ts";
import { type FakeApi, startApi } from "../../google/api.ts";
import { type FakeStorage, startStorage } from "../../google/storage.ts";
import { type FakeIndex, startIndex } from "../wheels/package-index.ts";
import { FakeDataproc } from "./fake-dataproc.ts";

/** What is waited for comes soon, also on a machine that is busy; where it never does, a test gives less. */
const LONG_MS = 10_000;
export const TIMING: Timing = {
  pollMs: 20,
  patienceMs: LONG_MS,
  graceMs: 0,
  absenceMs: LONG_MS,
  writeMs: 20,
  answerMs: LONG_MS,
};

export const MODES: readonly DataprocMode[] = [DataprocMode.cluster, DataprocMode.workflow, DataprocMode.batch];

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

/** Where the tests of a file are, and the lab of the one that runs, by {@link useLab}. */
export let site: Site;
export let lab: Lab;

/** Gives each test of a file, or of what describes them, a lab of its own. */
export function useLab(): void {
  beforeAll(async () => {
    site = await startSite();
  });
  beforeEach(async () => {
    lab = await site.begin();
  });
  afterAll(() => site?.close());
}

/** How often steps were begun: jobs, batches or workflows. */
export const begun = () => lab.google.jobs.size + lab.google.batches.size + lab.google.workflows.size;
/** How often they have to be, where all is well. */
export const wanted = (mode: DataprocMode) => (mode === DataprocMode.workflow ? 1 : 2);

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

const UNTIL_MS = 120_000;

/** Waits until something is so. */
export async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + UNTIL_MS; Date.now() < end; await sleep(20)) if (await is()) return;
  throw new Error(`it was not so within ${UNTIL_MS / 1000} s: ${is}`);
}
