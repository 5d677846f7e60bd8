/** One execution of a job by a local cluster. It is made once and never again: a run that has ended stays as it is. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { RunRecord } from "../../components/job/run.ts";
import { ClusterSpec, type ClusterStatus, readStatus, secretsFolder, specFile, statusFile } from "./cluster.ts";
import { readJson, writeJson } from "./json.ts";
import { layout } from "./layout.ts";
import { isAlive, registered, registration, startDetached, stop } from "./process.ts";
import { keepRecord } from "./record.ts";
import { isSame, type ResourceKind } from "./resource.ts";

const LEAST_JAVA = 17;

interface Run extends ClusterSpec {
  /** Secrets by name; they never come back as outputs. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export const run: ResourceKind = {
  check(_urn, inputs: Run) {
    const failures = [];
    if (!existsSync(join(dirname(inputs.python), "spark-submit"))) {
      const reason = `python is ${JSON.stringify(inputs.python)}: no PySpark is installed beside it; "npx oneoff setup" makes .oneoff/venv with one`;
      failures.push({ property: "python", reason });
    }
    const java = javaProblem();
    if (java) failures.push({ property: "cluster", reason: java });
    return failures;
  },
  diff(state: Run, inputs: Run) {
    if (state.run !== inputs.run || state.lake !== inputs.lake) {
      return { changes: true, replaces: ["run"], deleteBeforeReplace: true };
    }
    if (!isSame(state.job, inputs.job)) {
      pulumi.log.warn(
        `The job is another one now, but run "${state.run}" was made with the old one and stays: a new runId computes again (npx oneoff run).`,
      );
    }
    return { changes: false };
  },
  async create(_urn, inputs: Run) {
    const { secrets, ...spec } = inputs;
    const home = layout(spec.lake).cluster(spec.run);
    const outs = { ...spec, logs: dirname(layout(spec.lake).log(spec.run, "step")) };
    if (!hasEnded(spec.lake, spec.run) && !isAlive(registered(registration(home))) && !readStatus(home)) {
      mkdirSync(home, { recursive: true });
      writeJson(specFile(home), ClusterSpec.parse(spec));
      writeSecrets(home, secrets ?? {});
      await startDetached(new URL("./supervisor", import.meta.url), home, join(home, "supervisor.log"));
    }
    return { id: home, outs: { ...outs, state: await stateOf(spec) } };
  },
  async read(state: Run) {
    const now = await stateOf(state);
    return now && { ...state, state: now };
  },
  update: async (state: Run) => state,
  async delete(state: Run) {
    const home = layout(state.lake).cluster(state.run);
    await stop(registered(registration(home)));
    await stateOf(state);
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  },
  inputsOf: ({ run, job, lake, deadlineSeconds, cores, memoryMebibytes, python }: Run) => ({
    run,
    job,
    lake,
    deadlineSeconds,
    cores,
    memoryMebibytes,
    python,
  }),
};

const hasEnded = (lake: string, run: string): boolean => {
  const record = RunRecord.safeParse(readJson(layout(lake).record(run))).data;
  return record !== undefined && record.state !== "running";
};

/**
 * What became of a run, undefined when nothing of it is left. A cluster that was killed could not say so itself: its run
 * is recorded as failed here.
 */
async function stateOf(spec: ClusterSpec): Promise<ClusterStatus["state"] | undefined> {
  const home = layout(spec.lake).cluster(spec.run);
  const record = RunRecord.safeParse(readJson(layout(spec.lake).record(spec.run))).data;
  const status = readStatus(home) ?? record;
  if (status?.state !== "running" || isAlive(registered(registration(home)))) return status?.state;
  const orphaned = orphan(status);
  if (existsSync(home)) writeJson(statusFile(home), orphaned);
  if (existsSync(dirname(layout(spec.lake).record(spec.run)))) await keepRecord(spec, orphaned);
  return orphaned.state;
}

const orphan = (status: ClusterStatus): ClusterStatus => ({
  ...status,
  state: "failed",
  error: "its cluster was killed, or the machine restarted, before the run ended",
  ended: new Date().toISOString(),
  steps: status.steps.map((step) => (step.state === "running" ? { ...step, state: "failed" } : step)),
});

function writeSecrets(home: string, secrets: Readonly<Record<string, string>>): void {
  mkdirSync(secretsFolder(home), { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(secrets)) {
    writeFileSync(join(secretsFolder(home), name), text, { mode: 0o600 });
  }
}

function javaProblem(): string | undefined {
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, "bin", "java") : "java";
  const cure = `install Java ${LEAST_JAVA} or newer, or set JAVA_HOME to one; "npx oneoff doctor" says how`;
  try {
    const command = `"${java}" -version 2>&1`;
    const printed = execFileSync("/bin/sh", ["-c", command], { encoding: "utf8" });
    const version = /version "(?:1\.)?(\d+)/.exec(printed)?.[1];
    if (Number(version) >= LEAST_JAVA) return undefined;
    return `Java is ${version ?? "of an unknown version"} (${java}) and Spark needs ${LEAST_JAVA}: ${cure}`;
  } catch {
    return `Java is not there (${java}) and Spark needs it: ${cure}`;
  }
}
