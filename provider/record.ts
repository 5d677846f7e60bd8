import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RunStatus } from "../core/run.ts";

const script = fileURLToPath(new URL("../assets/jobs/oneoff.py", import.meta.url));

/** Has the record of a run in the lake say that it failed, as its status does; for a driver that could not. */
export async function keepRecord(python: string, lake: string, status: RunStatus): Promise<void> {
  const { run, job, state, deadline, error } = status;
  try {
    await promisify(execFile)(python, [
      ...[script, "record", "--lake", lake, "--run", run, "--job", job, "--state", state],
      ...(deadline ? ["--deadline", deadline] : []),
      ...(error ? ["--error", error] : []),
      ...status.steps.flatMap((step) => ["--step", `${step.name}=${step.state}`]),
    ]);
  } catch (failure) {
    const printed = (failure as { stderr?: string }).stderr?.trim();
    throw new Error(printed?.split("\n").at(-1) || (failure as Error).message);
  }
}
