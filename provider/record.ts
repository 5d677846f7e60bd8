import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RunStatus } from "../core/run.ts";
import type { ClusterSpec } from "./cluster.ts";

const script = fileURLToPath(new URL("../assets/jobs/oneoff.py", import.meta.url));

/** Has the run's record in the lake say what a cluster's status says; with the tables' digests once it succeeded. */
export async function keepRecord(spec: ClusterSpec, status: RunStatus): Promise<void> {
  const tables = spec.job.tables.map(({ name, columns }) => {
    const digested = columns.filter((column) => !column.measured).map((column) => column.name);
    return `${name}=${digested.join(",")}`;
  });
  const { deadline, error } = status;
  try {
    await promisify(execFile)(spec.python, [
      ...[script, "record", "--lake", spec.lake, "--run", spec.run, "--job", spec.job.name, "--state", status.state],
      ...(deadline ? ["--deadline", deadline] : []),
      ...(error ? ["--error", error] : []),
      ...status.steps.flatMap((step) => ["--step", `${step.name}=${step.state}`]),
      ...tables.flatMap((table) => ["--table", table]),
    ]);
  } catch (failure) {
    const printed = (failure as { stderr?: string }).stderr?.trim();
    throw new Error(printed?.split("\n").at(-1) || (failure as Error).message);
  }
}
