import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../../../core/errors.ts";
import { lakeLayout } from "../../../core/lake-layout.ts";
import { environmentOf } from "../../../provider/service-process.ts";
import type { Fleet } from "../../fleet.ts";
import { FleetAnswer, PushAnswer, whatWent } from "../../fleet-answer.ts";
import { runScript } from "../../fleet-script.ts";
import type { StackContext } from "../../platform.ts";
import type { FleetOutputs } from "./outputs.ts";
import { statusOf } from "./status.ts";

/** A fleet whose nodes are processes: what is done with it the scripts of all fleets do, which run here. */
export function fleetOf(stack: StackContext, outputs: FleetOutputs): Fleet {
  const { lake } = outputs;
  const namenode = ["--namenode", new URL(outputs.hdfs).host];
  const { manager, address } = managerOf(outputs);
  const master = ["--master", address];
  const script = (name: string, words: readonly string[], say?: (line: string) => void) =>
    runScript(pythonOf(lake, manager), name, words, say);
  const notebook = outputs.jupyter === undefined ? undefined : new URL("/", outputs.jupyter).href;
  const tokenFile = ["--token-file", join(lakeLayout(lake).service("notebook"), "root/run/secrets/notebook-token")];
  return {
    async status() {
      const answer = await script("fleet_status.py", [...namenode, ...master]);
      return statusOf(stack.name, lake, FleetAnswer.parse(JSON.parse(answer)));
    },
    async why() {
      const state = ["--state", join(lakeLayout(lake).service(manager), "idle.json")];
      const notebooks = notebook === undefined ? [] : ["--jupyter", notebook, ...tokenFile];
      const gpus = hasGpus(lake) ? ["--gpu-below", "5"] : [];
      const answer = await script("idle.py", [...state, ...master, ...notebooks, ...gpus]);
      const { busy, reasons } = Idle.parse(JSON.parse(answer));
      return `${busy ? `Not idle: ${reasons.join("; ")}` : "Idle"}; ${ends(stack.name)}.`;
    },
    async push(source, target, { overwrite, say }) {
      const words = [...namenode, ...(overwrite ? ["--overwrite"] : []), source, target];
      return PushAnswer.parse(JSON.parse(await script("push.py", words, say)));
    },
    async reset(say) {
      const kernelsOf = notebook === undefined ? [] : ["--notebook", notebook, ...tokenFile];
      const answer = await script("reset.py", [...namenode, ...master, ...kernelsOf], say);
      return whatWent(JSON.parse(answer));
    },
  };
}

/** The process that shares out the workers, Spark's own master or YARN's resource manager, and where that is asked. */
function managerOf({ spark, yarn }: FleetOutputs): { readonly manager: string; readonly address: string } {
  if (yarn !== undefined) return { manager: "resourcemanager", address: `yarn://${new URL(yarn).host}` };
  if (spark !== undefined) return { manager: "master", address: new URL(spark).host };
  throw new UsageError('the stack says neither where Spark nor where YARN is: "npx --no oneoff up" says it anew');
}

const hasGpus = (lake: string): boolean =>
  ["worker", "nodemanager"].some((name) => environmentOf({ lake, name })?.ONEOFF_GPU === "all");

/** The fleet's own Python. */
function pythonOf(lake: string, manager: string): string {
  const python = environmentOf({ lake, name: manager })?.ONEOFF_PYTHON;
  if (python === undefined) throw new UsageError(`${lake} has no fleet: "npx --no oneoff up" makes one`);
  return python;
}

/** Nobody is paid for it. */
const ends = (stack: string): string =>
  `nothing ends here by that: a run does at its deadline, the rest with "npx --no oneoff down ${stack}"`;

const Idle = z.object({ busy: z.boolean(), reasons: z.array(z.string()) });
