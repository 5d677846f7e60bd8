import {
  type Cluster,
  ClusterState,
  DescribeClusterCommand,
  EMRClient,
  GetAutoTerminationPolicyCommand,
  ListStepsCommand,
  type StepSummary,
} from "@aws-sdk/client-emr";
import type { Claim } from "../../../assets/emr-launcher/claims.ts";
import type { Launched } from "../../../assets/emr-launcher/event.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { checkRunId, type RunStatus } from "../../../core/run.ts";
import type { Attached, Machines, StackContext } from "../../platform.ts";
import { connect, explainErrors, orUndefined, paginate } from "../client.ts";
import { openLake } from "../lake.ts";
import { regionOf } from "../region.ts";
import { cancelOnEmr, isHeld, launchEntry } from "./cancel.ts";
import { isEndingState, isOver } from "./ending.ts";
import { type EmrStep, gunzipped, logOf } from "./log.ts";
import { machinesOf, stepName, stepsOf } from "./machines.ts";
import type { EmrOutputs } from "./outputs.ts";
import { pagesOf, routeTo } from "./pages.ts";

const POLL_MS = 5000;

/** The cluster of a stack whose job runs on EMR. */
export function attach(stack: StackContext, outputs: EmrOutputs): Attached {
  const lake = openLake(stack, outputs.lake);
  const emr = connect(new EMRClient({ region: regionOf(stack), maxAttempts: 4 }));
  const known = new Map<string, EmrStep>();
  const stepKey = (run: string, step: string) => `${run}/${step}`;

  async function machines(run: string, recorded: RunStatus | undefined): Promise<Machines | undefined> {
    const launched = await launchEntry(lake, run);
    if (launched && !("cluster" in launched)) return launching(launched);
    if (!launched) return unlaunched(recorded);
    const found = await describe(emr, launched.cluster);
    const steps = stepsOf(run, found.steps);
    for (const step of steps) {
      const ended = step.Status?.Timeline?.EndDateTime !== undefined;
      known.set(stepKey(run, stepName(step)), { cluster: launched.cluster, id: step.Id as string, ended });
    }
    return machinesOf({ launched, ...found, steps, now: new Date() });
  }

  return {
    run: outputs.run,
    lake,
    pollMs: POLL_MS,
    bill: outputs.bill,
    machines: (run, recorded) => explainErrors(machines(run, recorded)),
    cancel: (run, say) =>
      explainErrors(cancelOnEmr({ emr, lake, stack: stackTagOf(stack), pollMs: POLL_MS }, checkRunId(run), say)),
    progressInLogs: true,
    log: (run, step, from) => explainErrors(logOf(lake, run, step, from, known.get(stepKey(run, step)))),
    evidence: (run) => explainErrors(bootstrapLog(lake, emr, run)),
    isKept: ({ cluster, state }) =>
      outputs.keepAlive === true && state !== "running" && cluster !== undefined && !isEndingState(cluster.state),
    pages: async () => pagesOf(stack, outputs),
    route: (name) => explainErrors(routeTo(stack, outputs, lake, name)),
  };
}

/** Value of tag `oneoff:stack`. */
const stackTagOf = ({ files: { project, stack } }: StackContext): string => `${project}/${stack}`;

/** The cluster that was rented for a run. */
export async function launchOf(lake: LakeStore, run: string): Promise<Launched | undefined> {
  const entry = await launchEntry(lake, run);
  return entry && "cluster" in entry ? entry : undefined;
}

/** A run that somebody is launching, or was when he died; undefined when no cluster was asked for. */
function launching(claim: Claim): Machines | undefined {
  const reason = isHeld(claim)
    ? `its launcher has until ${claim.until}`
    : `its launcher died: "npx pulumi up" finds what it rented, and "npx --no oneoff cancel" ends that`;
  if (!isHeld(claim) && !claim.renting) return undefined;
  const cluster = { state: "LAUNCHING", reason };
  return { started: claim.claimed, cluster: ({ state }) => (state === "running" ? cluster : undefined) };
}

/** A run whose cluster nobody knows: what its record says, and what follows from that. */
export function unlaunched(recorded: RunStatus | undefined, now = new Date()): Machines | undefined {
  if (!recorded?.deadline || now < new Date(recorded.deadline)) return undefined;
  return { started: recorded.started, over: { error: "its cluster ended without saying so", at: recorded.deadline } };
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
async function bootstrapLog(lake: LakeStore, emr: EMRClient, run: string) {
  const launched = await launchOf(lake, run);
  if (!launched) return undefined;
  const answer = await orUndefined(emr.send(new DescribeClusterCommand({ ClusterId: launched.cluster })));
  const { Cluster: cluster } = answer ?? {};
  if (!cluster || !isOver(cluster) || cluster.Status?.StateChangeReason?.Code !== "BOOTSTRAP_FAILURE") return undefined;
  const keys = await lake.keys(`${Prefix.logs}/emr/${launched.cluster}/node/`);
  for (const key of keys.filter((key) => /\/bootstrap-actions\/\d+\/stderr\.gz$/.test(key))) {
    const text = await gunzipped(lake, key);
    if (text.trim() !== "") return { what: `the set-up of node ${key.split("/")[4]}`, text };
  }
  return undefined;
}
