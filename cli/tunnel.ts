import { spawn } from "node:child_process";
import { type Machine, sshArguments } from "../clients/ssh.ts";
import type { Connection } from "./platform.ts";

/** A port of this machine that leads to one that another machine reaches, by ssh. */
interface SshForward {
  readonly machine: Machine;
  /** Whose port it is, as that machine knows it. @default its own loopback */
  readonly host?: string;
  /** Port there. */
  readonly port: number;
  /** Port here, on loopback. */
  readonly localPort: number;
}

export function startTunnel({ machine, host = "127.0.0.1", port, localPort }: SshForward): Connection {
  const forward = ["-N", "-T", "-L", `127.0.0.1:${localPort}:${host}:${port}`];
  const keep = ["-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"];
  const args = [...forward, ...keep, ...sshArguments(machine)];
  // It asks for passwords at the terminal itself.
  const child = spawn("ssh", args, { stdio: ["ignore", "ignore", "pipe"] });
  const kill = () => void child.kill();
  process.once("exit", kill); // never leave it behind
  let printed = "";
  child.stderr.on("data", (chunk: Buffer) => {
    printed = (printed + chunk).slice(-2000);
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "ENOENT" ? "ssh is not on PATH: install OpenSSH's client" : error.message),
    );
    child.once("close", (code) =>
      resolve(printed.trim().split("\n").at(-1)?.replace(/\.$/, "") || `it ended with ${code}`),
    );
  }).finally(() => process.off("exit", kill));
  return {
    ended,
    async end() {
      child.kill();
      await ended;
    },
  };
}
