import type { Launched } from "../../../assets/dataproc-orchestrator/claim.ts";
import { DataprocMode, type Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import { type UnderWay, underWay } from "../../../assets/dataproc-orchestrator/under-way.ts";
import { unlessOver } from "../../../assets/dataproc-orchestrator/workflow.ts";
import { readJson } from "../../../clients/lake/read.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { digestOfJson } from "../../../core/digest.ts";
import { quote, UsageError } from "../../../core/errors.ts";
import { Label, labelValue, stackLabel } from "../../../core/labels.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { pause } from "../../../core/retry.ts";
import { RunStatus } from "../../../core/run.ts";
import type { Google } from "../client.ts";
import type { Cluster } from "./describe.ts";
import { newestExecution } from "./execution.ts";
import type { DataprocStack } from "./stack.ts";

/** Where a run's machines are looked for, and whose they have to be. */
export interface Machinery {
  readonly google: Google;
  readonly lake: LakeStore;
  readonly stack: DataprocStack;
  /** Project and stack, "oneoff/dataproc". */
  readonly owner: string;
  /** Between two looks, in milliseconds. */
  readonly pollMs: number;
  /** For how long the orchestrator is given to see the request. @default 2 minutes */
  readonly followerMs?: number;
}

const MINUTE = 60_000;
/** Google takes a minute or two for machines. */
const PATIENCE_MS = 20 * MINUTE;
/** After so many looks what is still under way is asked to end once more. */
const ASK_AGAIN = 12;

/**
 * Ends what a run that was asked to be cancelled has at Google's, whether its orchestrator lives or not, and waits until all of
 * it has ended: the steps, a cluster that is the run's own, and the orchestrator, which may ask for the next step until then.
 */
export async function cancelOnDataproc(place: Machinery, run: string, say: (line: string) => void): Promise<void> {
  const begun = Date.now();
  const follower = followerOf(place, run);
  let deleted = false;
  for (let look = 0; Date.now() - begun < PATIENCE_MS; look += 1) {
    // In this order: nobody asks for anything any more when the rest is looked at.
    const follows = await follower();
    const { left, cluster, cancel } = await lookFor(place, run);
    if (look % ASK_AGAIN === 0) await cancel();
    const stays = left.length === 0 && !follows && cluster ? await endCluster(place, run, cluster) : undefined;
    deleted ||= stays !== undefined;
    const waits = [...left, follows, stays].filter((what) => what !== undefined);
    if (waits.length === 0) {
      if (deleted && cluster === place.stack.cluster) say(`cluster ${cluster} is gone: ${refreshes(place.stack)}`);
      return;
    }
    say(`waiting for the end of ${waits.join(", ")}`);
    await pause(place.pollMs);
  }
  throw new UsageError(`what works for run ${run} has not ended after 20 minutes: give the command again`);
}

const refreshes = ({ name }: DataprocStack): string =>
  `Pulumi has to look for that, by "npx pulumi destroy --refresh --stack ${name}"; "npx --no oneoff run ${name}" does by itself`;

const NOTHING: UnderWay = { left: [], cancel: async () => undefined };

/** What the run has at Google's now. */
async function lookFor({ google, lake, stack }: Machinery, run: string): Promise<UnderWay> {
  const claim = (await readJson(lake, `${Prefix.launches}/${run}.json`)) as Launched | undefined;
  const launch = await launchOf(lake, run, claim?.digest);
  if (!launch) return NOTHING;
  // Nobody has begun it, and who does so finds the request first; a cluster that stays is Pulumi's, and may be there.
  if (!claim) return { ...NOTHING, cluster: launch.mode === DataprocMode.cluster ? launch.cluster : undefined };
  const here = { ...launch, project: stack.project, region: stack.region };
  const site = { api: google, launch: here, digest: claim.digest, deadline: new Date(claim.deadline) };
  return underWay(site, claim.operation);
}

/**
 * What the orchestrator of a run was told.
 * @param digest of the launch that was begun. @default of several any will do
 */
export async function launchOf(lake: LakeStore, run: string, digest?: string): Promise<Launch | undefined> {
  const keys = await lake.keys(`${Prefix.clusters}/${run}/`);
  for (const key of keys.filter((key) => /\/launch-[0-9a-f]+\.json$/.test(key))) {
    const launch = (await readJson(lake, key)) as Launch | undefined;
    if (launch && (digest === undefined || digestOfJson(launch) === digest)) return launch;
  }
  return undefined;
}

/**
 * Tells what still follows the run. That ends by itself once it has seen the request; where it doesn't, Cloud Run is asked to end
 * it: it may be one of a version that knows no requests.
 */
function followerOf({ google, lake, stack, followerMs = 2 * MINUTE }: Machinery, run: string) {
  const patient = Date.now() + followerMs;
  let wasAsked = false;
  return async (): Promise<string | undefined> => {
    const status = RunStatus.safeParse(await readJson(lake, `${Prefix.clusters}/${run}/status.json`)).data;
    if (status && status.state !== "running") return undefined;
    // What Cloud Run does now is for the stack's run.
    if (run !== stack.run) return status && Date.now() < patient ? "the run's orchestrator" : undefined;
    const execution = await newestExecution(google, stack);
    if (!execution || execution.ended !== undefined) return undefined;
    if (Date.now() >= patient && !wasAsked) {
      wasAsked = true;
      const path = `v2/projects/${stack.project}/locations/${stack.region}/jobs/${stack.orchestrator}/executions`;
      await google.request("run", `${path}/${execution.name}:cancel`, { method: "POST", body: {} }).catch(unlessOver);
    }
    return `the orchestrator (${execution.what})`;
  };
}

/** Has a cluster deleted; undefined once it is gone. One that is being made is made first, for whoever waits for that. */
async function endCluster(place: Machinery, run: string, name: string): Promise<string | undefined> {
  const { google, stack } = place;
  const path = `v1/projects/${stack.project}/regions/${stack.region}/clusters/${name}`;
  const cluster = await google.orUndefined<Cluster>("dataproc", path);
  if (!cluster) return undefined;
  const why = foreign(place, run, cluster);
  if (why !== undefined) throw new UsageError(`cluster ${name} of run ${run} is not ended: ${why}`);
  const state = cluster.status?.state;
  if (state !== "DELETING" && state !== "CREATING") {
    await google.request("dataproc", path, { method: "DELETE" }).catch(unlessOver);
  }
  return `cluster ${name} (${state})`;
}

/** Why a cluster isn't the run's own: the lake may say what it likes. */
function foreign({ owner, lake }: Machinery, run: string, { labels = {} }: Cluster): string | undefined {
  const own = {
    [Label.stack]: stackLabel(owner),
    [Label.lake]: labelValue(lake.address.split("/")[2] ?? ""),
    [Label.run]: labelValue(run),
  };
  const other = Object.entries(own).find(([label, value]) => labels[label] !== value);
  if (!other) return undefined;
  const [label, value] = other;
  return `its label ${label} is ${quote(labels[label] ?? "")}, and this stack's is ${quote(value)}`;
}
