import { execFile } from "node:child_process";
import { promisify } from "node:util";

const TIMEOUT_MS = 60_000;

/**
 * What a docker command prints.
 *
 * @param host where Docker is, such as "ssh://user@machine"; what the docker command takes when undefined.
 * @throws Error with what docker says.
 */
export async function docker(host: string | undefined, args: readonly string[]): Promise<string> {
  const where = host === undefined ? [] : ["-H", host];
  try {
    const { stdout } = await promisify(execFile)("docker", [...where, ...args], {
      timeout: TIMEOUT_MS,
      maxBuffer: 2 ** 24,
    });
    return stdout;
  } catch (error) {
    const { code, stderr = "" } = error as { code?: unknown; stderr?: string };
    if (code === "ENOENT") throw new Error("docker is not installed; see https://docs.docker.com/engine/install/");
    throw new Error(`docker ${args[0]} ${args[1]} failed: ${stderr.trim() || (error as Error).message}`);
  }
}
