import { archiveWheels } from "../wheels/archive.ts";
import { stageWheels } from "../wheels/wheels.ts";
import { type Context, RunError } from "./context.ts";
import type { LaunchWheels } from "./launch.ts";
import { log } from "./log.ts";

const ATTEMPTS = 3;

/** Is there when all wheels of a prefix are: a machine that starts meanwhile can wait for it. */
const stagedKey = (prefix: string): string => `${prefix.replace(/\/+$/, "")}/staged.json`;

/** Puts the wheels of the job into the lake, and what batches import from. @throws RunError that names the package. */
export async function stage(context: Context): Promise<void> {
  context.status.machines({ state: "STAGING", reason: "putting the job's wheels into the lake" });
  for (const wheels of context.launch.wheels) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await stageOne(context, wheels);
        break;
      } catch (error) {
        context.ending.throwIfAborted();
        const { message } = error as Error;
        if (attempt === ATTEMPTS) throw new RunError(`the job's packages can't be put into the lake: ${message}`);
        log("WARNING", `${message}; trying again`);
      }
    }
  }
}

/** What is there is not asked for again. */
async function stageOne({ lake, launch, ending }: Context, { prefix, archive }: LaunchWheels): Promise<void> {
  const store = lake.wheels();
  const staged = stagedKey(prefix);
  if (await store.exists(archive ?? staged)) return;
  const staging = { wheels: [prefix], architecture: "x86_64", packageIndex: launch.packageIndex } as const;
  const wheels = await stageWheels(store, staging, ending);
  await lake.write(staged, { wheels });
  if (archive !== undefined) await archiveWheels(store, wheels, archive, ending);
}
