import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RunStatus } from "../core/run.ts";

const script = fileURLToPath(new URL("../assets/steps/run_record.py", import.meta.url));
/** Where what it imports is. */
const PYTHONPATH = fileURLToPath(new URL("../assets/jobs", import.meta.url));

/** Has the record of a run in the lake say that it failed, as its status does; for a driver that could not. */
export async function keepRecord(python: string, lake: string, status: RunStatus): Promise<void> {
  const { run, job, state, deadline, error } = status;
  try {
    const options = [
      ...["--lake", lake, "--run", run, "--job", job, "--state", state],
      ...(deadline ? ["--deadline", deadline] : []),
      ...(error ? ["--error", error] : []),
      ...status.steps.flatMap((step) => ["--step", `${step.name}=${step.state}`]),
    ];
    await promisify(execFile)(python, [script, ...options], { env: { ...process.env, PYTHONPATH } });
  } catch (failure) {
    const printed = (failure as { stderr?: string }).stderr?.trim();
    throw new Error(printed?.split("\n").at(-1) || (failure as Error).message);
  }
}
