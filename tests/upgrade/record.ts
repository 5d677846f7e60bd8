/**
 * Records what this version of the code leaves behind, for the upgrade tests of those that come after it:
 *
 *     node engine/setup.mjs --tests -- node tests/upgrade/record.ts
 *
 * It writes `tests/upgrade/versions/<version of package.json>/`, or those of its folders that are named as arguments. That is
 * committed with the release of the version and stays as it is from then on: the tests take every version that is there.
 */
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { build } from "esbuild";
import { handler } from "../../assets/emr-launcher/index.ts";
import { type Lab, MODES, startSite, until } from "../assets/dataproc-orchestrator/orchestrator.ts";
import { settingsOf } from "../docs/generated.ts";
import { engine } from "../engine/harness.ts";
import { freePort } from "../free-port.ts";
import { startMoto } from "../moto.ts";
import { makeProject, readJsonFile } from "../project.ts";
import {
  CLOUDS,
  copyLake,
  type DataprocRun,
  type EmrLaunch,
  folderOf,
  keepState,
  nameOf,
  readState,
  SETTINGS,
  SMALL,
  withoutPlaces,
} from "./states.ts";

const { version } = readJsonFile(import.meta.dirname, "../../package.json") as { version: string };
const folder = folderOf(version);

/** A line of Spark's own log, which tells of the machine. */
const SPARK = /^\d\d\/\d\d\/\d\d .*\n/gm;

/** What is kept, by the folder that it goes to. */
const parts: Readonly<Record<string, () => Promise<void>>> = {
  states: keepStates,
  programs: keepPrograms,
  lakes: keepLakes,
  launches: keepLaunches,
  settings: keepSettings,
};
const named = process.argv.slice(2);
const unknown = named.find((part) => !Object.hasOwn(parts, part));
if (unknown !== undefined) throw new Error(`there is no part "${unknown}"; there are ${Object.keys(parts).join(", ")}`);
if (named.length === 0 && existsSync(folder)) {
  throw new Error(
    `version ${version} is recorded: raise the version in package.json, or name the parts to record anew`,
  );
}
for (const part of named.length > 0 ? named : Object.keys(parts)) {
  rmSync(join(folder, part), { recursive: true, force: true });
  mkdirSync(join(folder, part), { recursive: true });
  await parts[part]?.();
  console.log(`kept ${part}`);
}

async function keepSettings(): Promise<void> {
  for (const [name, { stack, job }] of Object.entries(SETTINGS)) {
    const settings = await settingsOf(stack, { "oneoff:job": job });
    writeFileSync(join(folder, "settings", `${name}.json`), `${JSON.stringify(settings, undefined, 1)}\n`);
  }
}

/** The states of stacks whose providers are stood in for. */
async function keepStates(): Promise<void> {
  for (const [name, under] of Object.entries(CLOUDS)) {
    const project = await engine(under);
    try {
      await project.mustPulumi("up", "--yes", "--skip-preview", "--stack", under.stack);
      await keepState(project, under.stack, join(folder, "states", `${name}.json`));
    } finally {
      project.remove();
    }
  }
}

/** The programs that outlive `pulumi up` on this machine, as they are now, with the files that they look for beside them. */
async function keepPrograms(): Promise<void> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  await build({
    absWorkingDir: root,
    entryPoints: ["provider/supervisor.ts", "provider/dashboard.ts"],
    outdir: join(folder, "programs/provider"),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node22",
    format: "esm",
    packages: "external", // what is ours is enough
    external: ["./engines/athena/engine.ts", "./engines/bigquery/engine.ts"],
  });
  for (const file of ["assets/steps/guard.sh", "assets/jobs/oneoff.py"]) {
    mkdirSync(dirname(join(folder, "programs", file)), { recursive: true });
    cpSync(join(root, file), join(folder, "programs", file));
  }
}

/** Stack `local` three times, each with its lake: its run has succeeded, has failed, is in progress. */
async function keepLakes(): Promise<void> {
  const project = { ...makeProject(), port: await freePort() };
  const lake = join(project.folder, ".oneoff/lake");
  try {
    await project.mustPulumi("stack", "init", "local");
    for (const [run, memory] of [
      ["succeeded", "512 MB"],
      ["failed", "1 MB"],
      ["running", "512 MB"],
    ] as const) {
      const settings = { ...SMALL, "oneoff:port": project.port, "oneoff:runId": run, "oneoff:memory": memory };
      const texts = Object.entries(settings).flatMap(([key, value]) => ["--plaintext", `${key}=${value}`]);
      await project.mustPulumi("config", "set-all", ...texts, "--stack", "local");
      await project.mustPulumi("up", "--yes", "--skip-preview", "--stack", "local");
      const state = () => readJsonFile(lake, "_clusters", run, "status.json").state as string;
      if (run !== "running") {
        while (state() === "running") await sleep(100);
        if (state() !== run) throw new Error(`the run is ${state()} and should have ${run}`);
        await project.mustPulumi("refresh", "--yes", "--skip-preview", "--stack", "local");
      }
      await keepState(project, "local", join(folder, "lakes", `${run}.json`));
      copyLake(lake, join(folder, "lakes", run), (text) => withoutPlaces(text, project).replace(SPARK, ""));
    }
  } finally {
    await project.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local");
    project.remove();
  }
}

async function keepLaunches(): Promise<void> {
  await keepEmrLaunch();
  await keepDataprocRuns();
}

function keepLaunch(name: string, value: EmrLaunch | DataprocRun): void {
  writeFileSync(join(folder, "launches", `${name}.json`), `${JSON.stringify(value, undefined, 1)}\n`);
}

/** What the launcher writes for the run of the state of stack emr-oneoff. */
async function keepEmrLaunch(): Promise<void> {
  const run = readState(version, "emr-oneoff").deployment.resources.find(({ urn }) => nameOf(urn) === "cluster-run");
  const input = String(run?.inputs?.input);
  const { bucket: Bucket, wheels } = JSON.parse(input) as {
    readonly bucket: string;
    readonly wheels: readonly string[];
  };
  const moto = await startMoto();
  try {
    const s3 = new S3Client({});
    await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }));
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
    // No wheels are needed to see what is written of the launch.
    for (const prefix of wheels) {
      await s3.send(new PutObjectCommand({ Bucket, Key: `${prefix}/requirements.txt`, Body: "" }));
    }
    await handler(JSON.parse(input), { getRemainingTimeInMillis: () => 900_000 });
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: "_launches/" }));
    const written = await Promise.all(
      Versions.map(async ({ Key, VersionId }) => {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }));
        return Body?.transformToString();
      }),
    );
    // The newest comes first.
    const launch = { recorded: new Date().toISOString(), input, written: written.reverse() };
    keepLaunch("emr-oneoff", launch as unknown as EmrLaunch);
  } finally {
    moto.close();
  }
}

/** What the orchestrator leaves of a run in each mode: while its first step is at work, once it has succeeded, or failed. */
async function keepDataprocRuns(): Promise<void> {
  const site = await startSite();
  try {
    for (const mode of MODES) {
      for (const state of ["running", "succeeded", "failed"] as const) {
        const lab = await site.begin();
        const launch = lab.launch(mode, { bucket: "lake", wheels: [], packageIndex: "https://pypi.org/simple" });
        const stop = new AbortController();
        if (state === "running") {
          lab.google.script.one = { states: ["RUNNING"] };
          lab.google.stall = 2;
        }
        if (state === "failed")
          lab.google.script.one = { states: ["PENDING", mode === "batch" ? "FAILED" : "ERROR"], why: "out of luck" };
        const following = lab.follow(launch, {}, stop.signal);
        if (state === "running") {
          await until(async () => (await lab.status().catch(() => undefined))?.steps[0]?.state === "running");
        } else {
          await following;
        }
        keepLaunch(`dataproc-${mode}-${state}`, await whatIsThere(lab, launch));
        stop.abort(new Error("enough was seen"));
        await following;
      }
    }
  } finally {
    site.close();
  }
}

async function whatIsThere(lab: Lab, launch: DataprocRun["launch"]): Promise<DataprocRun> {
  const keys = await lab.keys("_");
  const own = keys.filter((key) => !key.startsWith("_wheels/"));
  const objects = await Promise.all(own.map(async (key) => [key, JSON.stringify(await lab.read(key))] as const));
  const { jobs, batches, workflows } = lab.google;
  return {
    recorded: new Date().toISOString(),
    launch,
    objects: Object.fromEntries(objects),
    jobs: Object.fromEntries(jobs),
    batches: Object.fromEntries(batches),
    workflows: Object.fromEntries(workflows),
  };
}
