import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { LoginError, UsageError } from "../../core/errors.ts";
import type { Connection } from "../platform.ts";

/** What to say where gcloud is not. */
export const GET_GCLOUD = "install it: https://cloud.google.com/sdk/docs/install";

/** Version of gcloud, undefined where it is not installed. */
export async function gcloudVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("gcloud", ["--version"]);
    return /^Google Cloud SDK (\S+)/m.exec(stdout)?.[1] ?? stdout.split("\n")[0];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UsageError(`gcloud doesn't run: ${(error as Error).message.trim()}; ${GET_GCLOUD}`);
  }
}

/** An instance, as gcloud names it. */
export interface Instance {
  readonly name: string;
  readonly zone: string;
  readonly project: string;
}

/**
 * Leads a port of this machine to one of an instance that has no public address, through Google's Identity-Aware Proxy.
 */
export function startTunnel({ name, zone, project }: Instance, port: number, localPort: number): Connection {
  const args = ["compute", "start-iap-tunnel", name, String(port), `--local-host-port=127.0.0.1:${localPort}`];
  const child = spawn("gcloud", [...args, "--zone", zone, "--project", project], {
    stdio: ["ignore", "pipe", "pipe"],
    // gcloud is a script that starts Python: what ends one must end the other.
    detached: true,
    env: { ...process.env, CLOUDSDK_CORE_DISABLE_PROMPTS: "1" },
  });
  const kill = (signal?: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // it has ended
    }
  };
  const killNow = () => kill("SIGTERM");
  process.once("exit", killNow); // never leave it behind
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      printed = (printed + chunk).slice(-4000);
    });
  }
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) => resolve(problemIn(printed) ?? `it ended with ${code}`));
  }).finally(() => process.off("exit", killNow));
  return {
    ended,
    async end() {
      kill("SIGTERM");
      const last = setTimeout(() => kill("SIGKILL"), 3000);
      await ended;
      clearTimeout(last);
    },
  };
}

/** gcloud says what went wrong in a line of its own, and may go on with advice. */
function problemIn(printed: string): string | undefined {
  const lines = printed
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.findLast((line) => line.startsWith("ERROR:")) ?? lines.at(-1);
}

/** Why gcloud will never connect, with what to do about it; undefined when it may later. */
export function whyNever(problem: string, { name, zone, project }: Instance): UsageError | undefined {
  if (/4033|not authorized|tunnelResourceAccessor|accessViaIAP|PERMISSION_DENIED|Required '/i.test(problem)) {
    return new UsageError(
      `Google doesn't let you through to instance ${name}: ask for role roles/iap.tunnelResourceAccessor, by "gcloud projects add-iam-policy-binding ${project} --member user:YOU --role roles/iap.tunnelResourceAccessor" (${problem})`,
    );
  }
  if (/active account|gcloud auth login|reauthentication|refreshing your current auth/i.test(problem)) {
    return new LoginError(`gcloud is not logged in: "gcloud auth login" (${problem})`);
  }
  if (/4054|organization'?s? policy/i.test(problem)) {
    return new UsageError(`a policy of the organization forbids tunnels to instance ${name} (${problem})`);
  }
  if (/SERVICE_DISABLED|has not been used|not enabled/i.test(problem)) {
    return new UsageError(`the project has no IAP: "gcloud services enable iap.googleapis.com --project ${project}"`);
  }
  if (/unrecognized arguments|Invalid choice/i.test(problem)) {
    return new UsageError(
      `gcloud doesn't know how to reach ${name} in ${zone}: "gcloud components update" (${problem})`,
    );
  }
  return undefined;
}
