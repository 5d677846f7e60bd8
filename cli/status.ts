/** How a stack does, as `oneoff status` tells it. */
import { ceiling } from "../core/bill.ts";
import { formatDuration } from "../core/duration.ts";
import { TransientError, UsageError } from "../core/errors.ts";
import { type Column, labelled } from "./columns.ts";
import { describeStep } from "./described.ts";
import { describeStack, type MeantStack } from "./meant-stack.ts";
import type { StackContext } from "./platform.ts";
import { NotUpError } from "./pulumi.ts";
import { type KnownRun, runJson, StackRuns, secondsOf } from "./runs.ts";
import { clock, minute } from "./when.ts";

/** A stack at a time. */
export interface StackStatus {
  readonly meant: MeantStack;
  readonly asked: Date;
  /** Where its cluster is: "AWS". @default it isn't up */
  readonly platform?: string;
  /** @default it has none, or isn't up */
  readonly run?: KnownRun | undefined;
  /** What it costs at most, in USD. @default nobody knows */
  readonly ceiling?: number | undefined;
  readonly hasDashboard?: boolean;
}

/** A stack that is up. */
export async function statusOf(meant: MeantStack, runs: StackRuns): Promise<StackStatus> {
  const { attached, isBilled, stack, platform } = runs;
  const most = attached.bill ? ceiling(attached.bill) : undefined;
  return {
    meant,
    asked: new Date(),
    platform: [platform, stack.outputs.region].filter((part) => typeof part === "string").join(" "),
    run: await runs.one(attached.run),
    ceiling: isBilled ? most : 0,
    hasDashboard: stack.outputs.dashboard !== undefined,
  };
}

/** Of the labels, what is next among them. */
const WIDTH = "Cluster".length;

/** As people read it. */
export function statusText({ meant, asked, platform, run, ceiling }: StackStatus): string {
  const name = describeStack(meant).replace(/^stack /, "");
  const at = `asked ${minute(asked)} UTC`;
  if (platform === undefined) return labelled([["Stack", `${name}, not up, ${at}`]], WIDTH).join("\n");
  const { status, usd } = run ?? {};
  const lines: Parameters<typeof labelled>[0] = [
    ["Stack", `${name}, ${platform}, ${at}`],
    ["Run", run ? runText(run) : "none"],
    ["Steps", status?.steps.map((step) => `${step.name} ${describeStep(step)}`).join(", ") || undefined],
    ["Cluster", status && clusterText(status)],
    [
      "Cost",
      ceiling
        ? `${usd === undefined ? "not known" : `${usd.toFixed(2)} USD`} so far, at most ${ceiling.toFixed(2)}`
        : undefined,
    ],
  ];
  return labelled(lines, WIDTH).join("\n");
}

/** "9 of xo: running for 6 min", with why it failed. */
export function runText(known: KnownRun): string {
  const { status, state } = known;
  const seconds = secondsOf(known);
  const took = seconds === undefined ? "" : ` ${state === "running" ? "for" : "after"} ${formatDuration(seconds)}`;
  const why = status.error === undefined || state === "succeeded" ? "" : `: ${status.error.replace(`${state}: `, "")}`;
  const lost =
    state === "lost" && status.error === undefined
      ? `: it ended at ${minute(status.deadline as string)} UTC at the latest, and never said so`
      : "";
  return `${status.run} of ${status.job}: ${state}${took}${why}${lost}`;
}

function clusterText({ cluster, state, deadline }: KnownRun["status"]): string | undefined {
  const parts = [
    cluster && [cluster.state, cluster.reason].filter(Boolean).join(": "),
    state === "running" && deadline !== undefined && `ends by ${clock(deadline)} UTC whatever happens`,
    cluster?.stays !== undefined && `stays, and costs, until ${clock(cluster.stays)} UTC if nobody uses it`,
  ];
  return parts.filter(Boolean).join("; ") || undefined;
}

/** What to type next. */
export function nextOf({ meant, run, hasDashboard, platform }: StackStatus): string {
  const name = meant.because === undefined ? ` ${meant.name}` : "";
  const command = (verb: string) => `npx --no oneoff ${verb}${name}`;
  if (platform === undefined) return command("up");
  const open = hasDashboard ? [command("open")] : [];
  if (run?.state === "running") return [command("watch"), ...open, command("cancel")].join(" | ");
  if (run?.state === "succeeded")
    return [...open, `npx --no oneoff get${name && ` --stack${name}`}`, command("run")].join(" | ");
  return [command("logs"), command("run")].join(" | ");
}

/** As programs read it. */
export const statusJson = ({ meant, asked, platform, run, ceiling }: StackStatus) => ({
  stack: meant.name,
  because: meant.because,
  asked: asked.toISOString(),
  up: platform !== undefined,
  platform,
  run: run && runJson(run),
  cluster: run?.status.cluster && { reason: null, stays: null, ...run.status.cluster },
  usd: run?.usd,
  ceiling,
});

/** A stack of several, or why it can't be told how it does. */
export interface StackLine {
  readonly name: string;
  readonly status?: StackStatus;
  readonly problem?: string;
}

export async function lineOf(name: string, up: (name: string) => Promise<StackContext>): Promise<StackLine> {
  try {
    return { name, status: await statusOf({ name }, await StackRuns.of(await up(name))) };
  } catch (error) {
    if (error instanceof NotUpError) return { name };
    if (!(error instanceof UsageError || error instanceof TransientError)) throw error;
    return { name, problem: error.message };
  }
}

export const stackColumns: readonly Column<StackLine>[] = [
  { head: "STACK", text: ({ name }) => name },
  { head: "RUN", text: ({ status }) => status?.run?.status.run ?? "", rank: 4 },
  { head: "STATE", text: ({ status }) => status?.run?.state ?? (status?.platform === undefined ? "" : "up"), rank: 6 },
  { head: "STARTED (UTC)", text: ({ status }) => (status?.run ? minute(status.run.status.started) : ""), rank: 3 },
  { head: "USD", text: ({ status }) => status?.run?.usd?.toFixed(2) ?? "", align: "right", rank: 2 },
  {
    head: "NOTE",
    text: ({ status, problem }) => problem ?? (status?.platform === undefined ? "not up" : ""),
    rank: 5,
    prose: true,
  },
];
