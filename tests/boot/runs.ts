/** Runs of a box's head: a job that counts, how an update has it begun, and what is asked by way of the lake. */
import type { FleetPlan } from "../../components/aws/fleet/args.ts";
import { runArchive } from "../../components/aws/fleet/run.ts";
import { FleetAnswer } from "../../core/fleet-lake.ts";
import { type Job, job } from "../../core/job.ts";
import { RunRecord } from "../../core/run.ts";
import { type Box, eventually, keys } from "./box.ts";

export const counts = (more: readonly string[] = [], secrets: readonly string[] = []): Job => {
  const count = { name: "count", script: "count.py", arguments: ["--numbers", "{numbers}", ...more] };
  return job({
    name: "counts",
    from: import.meta.url,
    steps: [{ ...count, secrets, leaves: ["numbers"] }],
    tables: [{ name: "numbers", about: "A number", columns: [{ name: "n", type: "integer" }] }],
  });
};

/** Has the head run a job, as an update does. @param secrets parameters that hold them. */
export function begin(
  box: Box,
  plan: FleetPlan,
  { run, job, head, secrets = {} }: { run: string; job: Job; head: string; secrets?: Readonly<Record<string, string>> },
): void {
  const origin = { version: "0", settings: {}, steps: [] };
  const archive = runArchive(plan, { job, run, lake: "/lake", head, origin, requirements: [], secrets });
  box.put(keys.run(run), Buffer.from(archive, "base64"));
}

export const ended = (box: Box, run: string): Promise<RunRecord> =>
  eventually(`the end of run ${run}`, () => {
    const text = box.get(`_runs/${run}.json`);
    const found = text === undefined ? undefined : RunRecord.parse(JSON.parse(text));
    return found && found.state !== "running" ? found : undefined;
  });

/** What becomes of a request. */
export async function asked(box: Box, id: string, request: object): Promise<FleetAnswer> {
  box.put(keys.request(id), JSON.stringify({ ...request, asked: new Date().toISOString() }));
  return eventually(`the answer to ${id}`, () => {
    const text = box.get(keys.answer(id));
    const answer = text === undefined ? undefined : FleetAnswer.parse(JSON.parse(text));
    return answer && answer.state !== "running" ? answer : undefined;
  });
}
