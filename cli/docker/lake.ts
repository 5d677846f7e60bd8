import { execFile } from "node:child_process";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Docker } from "../../clients/docker.ts";
import { type Machine, onMachine, shellWord, sshMachine } from "../../clients/ssh.ts";
import { UsageError } from "../../core/errors.ts";
import { checkRunId } from "../../core/run.ts";
import { readJson } from "../../provider/json.ts";
import { aws } from "../cloud.ts";
import { filesIfAny } from "../config.ts";
import { localCommands } from "../local/cluster.ts";
import type { ClusterCommands, Outputs } from "../platform.ts";
import { machineOf } from "./swarm/pages.ts";

/** A lake as far as the command line reads it, wherever it is. */
export interface Lake extends Pick<ClusterCommands, "log" | "partFiles"> {
  readonly address: string;
  /** Whether it is on another machine. @default false */
  readonly isFar?: boolean;
  /** What a JSON file of the lake holds, undefined when there is none or it isn't JSON. */
  json(path: string): Promise<unknown>;
}

/** @throws UsageError when it can't be read from here. */
export async function lakeOf(stack: string, outputs: Outputs, docker: Docker): Promise<Lake> {
  const address = String(outputs.lake);
  if (address.startsWith("/")) return folderOf(stack, address, docker);
  if (address.startsWith("s3://")) return s3Lake(stack, outputs, address);
  const instead = address.startsWith("gs://")
    ? `this command reads folders and s3://; "gcloud storage cat ${address}/_runs/${outputs.run}.json" shows how its run does, "docker service logs -f ${outputs.service}" what it prints, "gcloud storage cp" copies its tables`
    : "expected a folder or s3://";
  throw new UsageError(`the lake of stack ${stack} is ${address}: ${instead}`);
}

async function folderOf(stack: string, folder: string, docker: Docker): Promise<Lake> {
  const machine = existsSync(folder) ? undefined : await machineOf(docker);
  if (machine?.startsWith("ssh:")) return sshLake(sshMachine(machine, filesIfAny(stack)?.config ?? {}), folder);
  const isHere = () => {
    if (existsSync(folder)) return;
    throw new UsageError(
      `the lake of stack ${stack} is ${folder}, which is not on this machine: give the command on the machine that has it, or set oneoff:lake to a bucket`,
    );
  };
  const { log, partFiles } = localCommands(folder);
  return {
    address: folder,
    async json(path) {
      isHere();
      return readJson(join(folder, path));
    },
    log,
    async partFiles(run, table, scratch) {
      isHere();
      return partFiles(run, table, scratch);
    },
  };
}

/** A folder of the machine that has the daemon. */
function sshLake(machine: Machine, folder: string): Lake {
  const word = (path: string) => shellWord(join(folder, path));
  return {
    address: folder,
    isFar: true,
    async json(path) {
      const text = (await onMachine(machine, `cat ${word(path)} 2>/dev/null || :`)).toString();
      try {
        return text === "" ? undefined : JSON.parse(text);
      } catch {
        return undefined;
      }
    },
    async log(run, step, from) {
      const file = word(`_logs/${checkRunId(run)}/${step}.log`);
      const bytes = await onMachine(machine, `tail -c +${from + 1} ${file} 2>/dev/null || :`);
      return { text: bytes.toString(), next: from + bytes.length };
    },
    async partFiles(run, table, scratch) {
      const path = shellWord(`${table}/run=${checkRunId(run)}`);
      const archive = join(scratch, "table.tar");
      writeFileSync(
        archive,
        await onMachine(machine, `cd ${shellWord(folder)} && [ -d ${path} ] && tar -cf - ${path} || :`),
      );
      if (statSync(archive).size > 0) await promisify(execFile)("tar", ["-xf", archive, "-C", scratch]);
      return localCommands(scratch).partFiles(run, table, scratch);
    },
  };
}

function s3Lake(stack: string, outputs: Outputs, address: string): Lake {
  const region = filesIfAny(stack)?.config["oneoff:region"];
  const lake = aws().then(({ s3Files }) => s3Files(stack, region ? { region, ...outputs } : outputs));
  lake.catch(() => {}); // told to whoever asks for something
  return {
    address,
    isFar: true,
    json: async (path) => (await lake).json(path),
    log: async (run, step, from) => (await lake).log(checkRunId(run), step, from),
    partFiles: async (run, table, scratch) => (await lake).partFiles(checkRunId(run), table, scratch),
  };
}
