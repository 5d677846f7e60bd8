import { existsSync } from "node:fs";
import type { Docker } from "../../../clients/docker.ts";
import { SshStore } from "../../../clients/lake/ssh.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { sshMachine } from "../../../clients/ssh.ts";
import { UsageError } from "../../../core/errors.ts";
import type { StackContext } from "../../platform.ts";
import { machineOf } from "../stack.ts";

/**
 * The lake of a stack: a bucket, or a folder of this machine or of the one that has the daemon. Pages are to be had without
 * it, so that one that can't be read says so to who reads it.
 */
export const lakeOf = (stack: StackContext, address: string, docker: Docker): Promise<LakeStore> =>
  find(stack, address, docker).catch((error: Error) => unreadable(address, error));

async function find(stack: StackContext, address: string, docker: Docker): Promise<LakeStore> {
  if (!address.startsWith("/") || existsSync(address)) return stack.openLake(address);
  const machine = await machineOf(docker);
  if (machine?.startsWith("ssh:")) return new SshStore(sshMachine(machine, stack.files.config), address);
  throw new UsageError(
    `the lake of stack ${stack.name} is ${address}, which is not on this machine: give the command on the machine that has it, or set oneoff:lake to a bucket`,
  );
}

function unreadable(address: string, error: Error): LakeStore {
  const refuse = () => Promise.reject(error);
  const read = { keys: refuse, list: refuse, folders: refuse, bytes: refuse, piece: refuse, content: refuse };
  const written = { create: refuse, replace: refuse, remove: refuse };
  return { address, isFar: false, ...read, ...written, close: () => {} };
}
