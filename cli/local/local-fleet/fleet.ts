import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { TransientError, UsageError } from "../../../core/errors.ts";
import { lakeLayout } from "../../../core/lake-layout.ts";
import { environmentOf } from "../../../provider/service-process.ts";
import { number } from "../../described.ts";
import type { Fleet } from "../../fleet.ts";
import { FleetAnswer } from "../../fleet-answer.ts";
import type { StackContext } from "../../platform.ts";
import type { FleetOutputs } from "./outputs.ts";
import { statusOf } from "./status.ts";

const SCRIPTS = fileURLToPath(new URL("../../../assets/fleet", import.meta.url));

/** A fleet whose nodes are processes: what is done with it the scripts of all fleets do, which run here. */
export function fleetOf(stack: StackContext, outputs: FleetOutputs): Fleet {
  const { lake } = outputs;
  const namenode = ["--namenode", new URL(outputs.hdfs).host];
  const master = ["--master", new URL(outputs.spark).host];
  const notebook = outputs.jupyter === undefined ? undefined : new URL("/", outputs.jupyter).href;
  const tokenFile = ["--token-file", join(lakeLayout(lake).service("notebook"), "root/run/secrets/notebook-token")];
  return {
    async status() {
      const answer = await script(lake, "fleet_status.py", [...namenode, ...master]);
      return statusOf(stack.name, lake, FleetAnswer.parse(JSON.parse(answer)));
    },
    async why() {
      const state = ["--state", join(lakeLayout(lake).service("master"), "idle.json")];
      const notebooks = notebook === undefined ? [] : ["--jupyter", notebook, ...tokenFile];
      const gpus = environmentOf({ lake, name: "worker" })?.ONEOFF_GPU === "all" ? ["--gpu-below", "5"] : [];
      const answer = await script(lake, "idle.py", [...state, ...master, ...notebooks, ...gpus]);
      const { busy, reasons } = Idle.parse(JSON.parse(answer));
      return `${busy ? `Not idle: ${reasons.join("; ")}` : "Idle"}; ${ends(stack.name)}.`;
    },
    async push(source, target, { overwrite, say }) {
      const words = [...namenode, ...(overwrite ? ["--overwrite"] : []), source, target];
      return Pushed.parse(JSON.parse(await script(lake, "push.py", words, say)));
    },
    async reset(say) {
      const kernelsOf = notebook === undefined ? [] : ["--notebook", notebook, ...tokenFile];
      const answer = await script(lake, "reset.py", [...namenode, ...master, ...kernelsOf], say);
      const { deleted, kernels } = Reset.parse(JSON.parse(answer));
      return `Gone: ${number(deleted)} files and folders of HDFS, ${number(kernels)} ${kernels === 1 ? "kernel" : "kernels"}.`;
    },
  };
}

/**
 * Runs one of the fleet's scripts, and returns the last line of its answer.
 * @throws UsageError with the last that it said, when it fails.
 */
async function script(lake: string, name: string, words: readonly string[], say?: (line: string) => void) {
  const env = environmentOf({ lake, name: "master" });
  if (env?.ONEOFF_PYTHON === undefined) throw new UsageError(`${lake} has no fleet: "npx --no oneoff up" makes one`);
  const child = spawn(env.ONEOFF_PYTHON, [join(SCRIPTS, name), ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let [answer, last] = ["", ""];
  createInterface({ input: child.stdout }).on("line", (line) => {
    answer = line;
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (last !== "") say?.(last);
    last = line;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) {
    if (last !== "") say?.(last);
    return answer;
  }
  if (code === null) throw new TransientError(`${name} was killed; given again it goes on`);
  const problem = last.replace(/^\w+: /, ""); // its own name goes before
  throw new (code === 2 ? UsageError : TransientError)(problem || `${name} ended with ${code}`);
}

/** Nobody is paid for it. */
const ends = (stack: string): string =>
  `nothing ends here by that: a run does at its deadline, the rest with "npx --no oneoff down ${stack}"`;

const Idle = z.object({ busy: z.boolean(), reasons: z.array(z.string()) });
const Pushed = z.object({ files: z.number(), skipped: z.number(), bytes: z.number(), seconds: z.number() });
const Reset = z.object({ kernels: z.number(), deleted: z.number() });
