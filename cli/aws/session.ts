import { type ChildProcess, execFile, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { SSMClient, StartSessionCommand, TerminateSessionCommand } from "@aws-sdk/client-ssm";
import { UsageError } from "../../core/errors.ts";
import type { Connection } from "../platform.ts";
import { connect } from "./client.ts";

const PLUGIN = "session-manager-plugin";
const RESPONSE = "AWS_SSM_START_SESSION_RESPONSE";

/** What to say where the plugin is not. */
export const GET_PLUGIN =
  "install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html";

/** Version of session-manager-plugin, undefined where it is not installed. */
export async function pluginVersion(): Promise<string | undefined> {
  try {
    return (await promisify(execFile)(PLUGIN, ["--version"])).stdout.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UsageError(`${PLUGIN} doesn't run: ${(error as Error).message.trim()}; ${GET_PLUGIN}`);
  }
}

/** The same. @throws UsageError where it is not installed. */
export async function neededPlugin(): Promise<string> {
  const version = await pluginVersion();
  if (version !== undefined) return version;
  throw new UsageError(`${PLUGIN} is not on PATH: ${GET_PLUGIN}`);
}

/** A port of this machine that leads to one of an instance. */
interface SessionArgs {
  readonly region: string;
  /** Id of the EC2 instance. */
  readonly instance: string;
  /** Port there. */
  readonly port: number;
  /** Where the port is, as the instance knows it. @default the instance's own loopback */
  readonly host?: string | undefined;
  /** Port here, on loopback. */
  readonly localPort: number;
}

/** Opens a tunnel through SSM, as `aws ssm start-session` does: no port of the instance is open to anyone. */
export async function startSession(tunnel: SessionArgs, plugin: string): Promise<Connection> {
  const { host, region, instance } = tunnel;
  const request = {
    Target: instance,
    DocumentName: host === undefined ? "AWS-StartPortForwardingSession" : "AWS-StartPortForwardingSessionToRemoteHost",
    Parameters: {
      ...(host !== undefined && { host: [host] }),
      portNumber: [String(tunnel.port)],
      localPortNumber: [String(tunnel.localPort)],
    },
  };
  const { child, terminate } = await begin(region, request, plugin, ["ignore", "pipe", "pipe"]);
  const ended = endOf(child);
  return {
    ended,
    async end() {
      child.kill();
      const last = setTimeout(() => child.kill("SIGKILL"), 3000);
      void ended.then(() => clearTimeout(last));
      await terminate(); // it ends by itself too
      await ended;
    },
  };
}

/**
 * Carries this process's input and output to an instance's SSH, until either ends or ssh, which has it as its ProxyCommand, does.
 * @throws UsageError when there is no plugin, or that failed.
 */
export async function carrySsh(region: string, instance: string): Promise<void> {
  const request = { Target: instance, DocumentName: "AWS-StartSSHSession", Parameters: { portNumber: ["22"] } };
  const { child, terminate } = await begin(region, request, await neededPlugin(), ["inherit", "inherit", "inherit"]);
  const kill = () => void child.kill();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, kill);
  const [code] = await once(child, "close");
  await terminate();
  if (code) throw new UsageError(`${PLUGIN} ended with ${code}: is the instance ${instance} running?`);
}

interface SessionRequest {
  readonly Target: string;
  readonly DocumentName: string;
  readonly Parameters: Record<string, string[]>;
}

/** Has the plugin begin a session; it is never left behind. */
async function begin(region: string, request: SessionRequest, plugin: string, stdio: StdioOptions) {
  const ssm = connect(new SSMClient({ region }));
  const { SessionId, TokenValue, StreamUrl } = await ssm.send(new StartSessionCommand(request));
  const response = JSON.stringify({ SessionId, TokenValue, StreamUrl });
  const hidden = takesEnvironment(plugin);
  const args = [
    hidden ? RESPONSE : response,
    region,
    "StartSession",
    process.env.AWS_PROFILE ?? "",
    JSON.stringify(request),
    endpointOf(ssm, region),
  ];
  const child = spawn(PLUGIN, args, { stdio, env: { ...process.env, ...(hidden && { [RESPONSE]: response }) } });
  const kill = () => void child.kill();
  process.once("exit", kill);
  child.once("close", () => process.off("exit", kill));
  const terminate = () => ssm.send(new TerminateSessionCommand({ SessionId })).catch(() => undefined);
  return { child, terminate };
}

/** Plugins newer than 1.2.497.0 take the token by the environment, where no other user can read it. */
export function takesEnvironment(version: string): boolean {
  const parts = version.split(".").map(Number);
  const least = [1, 2, 497, 0];
  const different = least.findIndex((part, index) => part !== (parts[index] ?? 0));
  return different >= 0 && (parts[different] ?? 0) > (least[different] as number);
}

function endpointOf(ssm: SSMClient, region: string): string {
  const chosen = process.env.AWS_ENDPOINT_URL_SSM || process.env.AWS_ENDPOINT_URL;
  if (chosen) return chosen;
  return ssm.config.endpointProvider({ Region: region, UseFIPS: false, UseDualStack: false }).url.origin;
}

function endOf(child: ChildProcess): Promise<string> {
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      printed = (printed + chunk).slice(-2000);
    });
  }
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) => resolve(printed.trim().split("\n").at(-1) || `it ended with ${code}`));
  });
}
