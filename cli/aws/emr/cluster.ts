import {
  type Cluster,
  ClusterState,
  DescribeClusterCommand,
  EMRClient,
  GetAutoTerminationPolicyCommand,
  ListStepsCommand,
  type StepSummary,
} from "@aws-sdk/client-emr";
import type { Launched } from "../../../assets/emr-launcher/event.ts";
import type { BillLine } from "../../../core/bill.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { checkRunId, RunRecord } from "../../../core/run.ts";
import { regionOf } from "../../config.ts";
import { partFiles } from "../../far-files.ts";
import type { ClusterCommands, Outputs } from "../../platform.ts";
import { type Progress, ProgressReader } from "../../step-log.ts";
import { Bucket } from "../bucket.ts";
import { connect, explainErrors, orUndefined, paginate } from "../client.ts";
import { isEndingState, isOver } from "./ending.ts";
import { type EmrStep, stepLog } from "./log.ts";
import { recordStatus, runStatus, stepName, stepsOf } from "./run-status.ts";

const POLL_MS = 5000;

/** The commands of a stack whose job runs on EMR. */
export function emrCommands(stack: string, outputs: Outputs): ClusterCommands {
  const lake = String(outputs.lake);
  const region = regionOf(stack, outputs);
  const bucket = new Bucket(lake, region);
  const emr = connect(new EMRClient({ region, maxAttempts: 4 }));
  const bill = Array.isArray(outputs.bill) ? (outputs.bill as readonly BillLine[]) : undefined;
  const known = new Map<string, EmrStep>();
  const stepKey = (run: string, step: string) => `${run}/${step}`;
  const readers = new Map<string, ProgressReader>();

  async function status(run: string) {
    const [launched, json] = await Promise.all([launchOf(bucket, run), bucket.json(`${Prefix.runs}/${run}.json`)]);
    const record = RunRecord.safeParse(json).data;
    if (!launched) return record && recordStatus(record, new Date());
    const found = await describe(emr, launched.cluster);
    const steps = stepsOf(run, found.steps);
    for (const step of steps) {
      const ended = step.Status?.Timeline?.EndDateTime !== undefined;
      known.set(stepKey(run, stepName(step)), { cluster: launched.cluster, id: step.Id as string, ended });
    }
    const progress = await progressOf(run, steps);
    return runStatus({ launched, record, ...found, steps, progress, bill, now: new Date() });
  }

  /** The progress of steps that run; of the others it isn't shown. */
  async function progressOf(run: string, steps: readonly StepSummary[]): Promise<ReadonlyMap<string, Progress>> {
    const reader = readers.get(run) ?? new ProgressReader((step, from) => stepLog(bucket, run, step, from, undefined));
    readers.set(run, reader);
    return reader.of(steps.filter((step) => step.Status?.State === "RUNNING").map(stepName));
  }

  return {
    lake,
    pollMs: POLL_MS,
    status: (run) => explainErrors(status(run)),
    log: (run, step, from) => explainErrors(stepLog(bucket, run, step, from, known.get(stepKey(run, step)))),
    evidence: (run) => explainErrors(bootstrapLog(bucket, emr, run)),
    isKept: ({ cluster, state }) =>
      outputs.keepAlive === true && state !== "running" && cluster !== undefined && !isEndingState(cluster.state),
    partFiles: async (run, table, scratch) => partFiles(bucket, checkRunId(run), table, scratch),
  };
}

/** The cluster that was rented for a run. */
export async function launchOf(bucket: Bucket, run: string): Promise<Launched | undefined> {
  return (await bucket.json(`${Prefix.launches}/${checkRunId(run)}.json`)) as Launched | undefined;
}

interface ClusterDescription {
  readonly cluster?: Cluster | undefined;
  readonly steps: readonly StepSummary[];
  readonly idleSeconds?: number | undefined;
}

async function describe(emr: EMRClient, id: string): Promise<ClusterDescription> {
  const cluster = (await orUndefined(emr.send(new DescribeClusterCommand({ ClusterId: id }))))?.Cluster;
  if (!cluster) return { steps: [] };
  const newestFirst = await paginate<StepSummary>(async (Marker) => {
    const page = await emr.send(new ListStepsCommand({ ClusterId: id, Marker }));
    return [page.Steps, page.Marker];
  });
  const stays = cluster.Status?.State === ClusterState.WAITING;
  return { cluster, steps: newestFirst.toReversed(), ...(stays && { idleSeconds: await idleLimit(emr, id) }) };
}

async function idleLimit(emr: EMRClient, id: string): Promise<number | undefined> {
  const answer = await orUndefined(emr.send(new GetAutoTerminationPolicyCommand({ ClusterId: id })));
  return answer?.AutoTerminationPolicy?.IdleTimeout;
}

/** What the set-up of the nodes printed, when it is what failed. EMR keeps it some minutes after. */
async function bootstrapLog(bucket: Bucket, emr: EMRClient, run: string) {
  const launched = await launchOf(bucket, run);
  if (!launched) return undefined;
  const answer = await orUndefined(emr.send(new DescribeClusterCommand({ ClusterId: launched.cluster })));
  const { Cluster: cluster } = answer ?? {};
  if (!cluster || !isOver(cluster) || cluster.Status?.StateChangeReason?.Code !== "BOOTSTRAP_FAILURE") return undefined;
  const keys = await bucket.keys(`${Prefix.logs}/emr/${launched.cluster}/node/`);
  for (const key of keys.filter((key) => /\/bootstrap-actions\/\d+\/stderr\.gz$/.test(key))) {
    const text = await bucket.gunzipped(key);
    if (text.trim() !== "") return { what: `the set-up of node ${key.split("/")[4]}`, text };
  }
  return undefined;
}
