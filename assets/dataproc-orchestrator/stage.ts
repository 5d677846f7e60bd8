import { retry } from "../../core/retry.ts";
import { archiveWheels } from "../wheels/archive.ts";
import { stageWheels } from "../wheels/wheels.ts";
import { type Context, RunError } from "./context.ts";
import type { LaunchWheels } from "./launch.ts";
import { log } from "./log.ts";

/** Is there when all wheels of a prefix are: a machine that starts meanwhile can wait for it. */
const stagedKey = (prefix: string): string => `${prefix.replace(/\/+$/, "")}/staged.json`;

/** Puts the wheels of the job into the lake, and what batches import from. @throws RunError that names the package. */
export async function stage(context: Context): Promise<void> {
  context.status.machines({ state: "STAGING", reason: "putting the job's wheels into the lake" });
  const { ending, launch } = context;
  try {
    for (const wheels of launch.wheels) {
      await retry(() => stageOne(context, wheels), {
        isTransient: () => !ending.aborted,
        tries: 3,
        onRetry: ({ message }) => log("WARNING", `${message}; trying again`),
      });
    }
  } catch (error) {
    ending.throwIfAborted();
    throw new RunError(`the job's packages can't be put into the lake: ${(error as Error).message}`);
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
