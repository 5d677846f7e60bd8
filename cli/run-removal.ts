/** The end of runs: what they wrote is removed, and in the place of their records stays that it was (docs/adr/0015). */
import { readJson } from "../clients/lake/read.ts";
import { Exit, MissingError, quote, RefusedError, TransientError, UsageError } from "../core/errors.ts";
import { CLUSTER_LOGS, Prefix } from "../core/lake-layout.ts";
import { checkRunId, removedRecord } from "../core/run.ts";
import { describeStack, type MeantStack } from "./meant-stack.ts";
import { readRecord, recordKey, type StackRuns } from "./runs.ts";
import { filesOfTables } from "./tables-of-run.ts";

/** What is to be removed of a run. */
export interface RemovalPlan {
  readonly run: string;
  /** What its record is to be. @default that is done already */
  readonly record?: { readonly content: string; readonly etag?: string | undefined };
  readonly tables: readonly string[];
  /** In the order in which they are removed. */
  readonly parts: readonly { readonly what: string; readonly prefix: string; readonly files: number }[];
}

/**
 * Looks at what there is of a run.
 * @param run its whole id.
 * @throws MissingError when there is none, RefusedError when it goes on.
 */
export async function planRemoval(runs: StackRuns, run: string): Promise<RemovalPlan> {
  const { lake, follower, stack } = runs;
  checkRunId(run, "ID");
  const [listed] = (await lake.list(recordKey(run))).filter(({ key }) => key === recordKey(run));
  const status = await follower.status(run);
  if (!status) throw await runs.missing(run);
  if (status.state === "running") {
    throw new RefusedError(
      `run ${quote(run)} of stack ${stack.name} goes on: "npx --no oneoff cancel ${stack.name} --run ${run}" ends it`,
    );
  }
  const removed = (await readRecord(lake, run))?.removed;
  const content = `${JSON.stringify(removedRecord(status), undefined, 2)}\n`;
  const plan = {
    run,
    ...(removed === undefined && { record: { content, etag: listed?.etag } }),
    ...(await partsOf(runs, run)),
  };
  if (removed !== undefined && plan.parts.length === 0)
    throw new MissingError(
      `run ${quote(run)} of stack ${stack.name} was removed at ${removed}, and nothing is left of it`,
    );
  return plan;
}

async function partsOf({ lake }: StackRuns, run: string): Promise<Pick<RemovalPlan, "tables" | "parts">> {
  const own = (await filesOfTables(lake, run)).filter(({ keys }) => keys.length > 0);
  const launch = (await readJson(lake, `${Prefix.launches}/${run}.json`)) as { readonly cluster?: unknown } | undefined;
  const others: readonly (readonly [what: string, prefix: string])[] = [
    // What is kept of all clusters lies where the logs of a run of that name would.
    ...(run === CLUSTER_LOGS ? [] : [["logs of its steps", `${Prefix.logs}/${run}/`] as const]),
    ...(typeof launch?.cluster === "string"
      ? [["logs of its cluster", `${Prefix.logs}/${CLUSTER_LOGS}/${launch.cluster}/`] as const]
      : []),
    ["what its steps kept for each other", `${Prefix.scratch}/${run}/`],
    ["its status", `${Prefix.clusters}/${run}/status.json`],
  ];
  const parts = await Promise.all(
    others.map(async ([what, prefix]) => ({ what, prefix, files: (await lake.keys(prefix)).length })),
  );
  return {
    tables: own.map(({ table }) => table),
    parts: [
      ...own.map(({ table, keys }) => ({ what: `table ${table}`, prefix: `${table}/run=${run}/`, files: keys.length })),
      ...parts.filter(({ files }) => files > 0),
    ],
  };
}

/** What is to be removed, in words. */
export function tellPlan({ run, tables, parts }: RemovalPlan, meant: MeantStack, stays: string | undefined): string {
  const files = parts.reduce((sum, part) => sum + part.files, 0);
  const names = tables.length === 0 ? "no table" : `table${tables.length === 1 ? "" : "s"} ${list(tables)}`;
  return `Run ${run} of ${describeStack(meant)}: ${names}, ${files} file${files === 1 ? "" : "s"} with its logs${stays ? `; not ${stays}` : ""}.`;
}

/**
 * Removes a run: at first that it is there, so that nobody reads the half of it.
 * @throws UsageError or TransientError with what was removed so far; given again it goes on.
 */
export async function removeRun({ lake, stack }: StackRuns, { run, record, parts }: RemovalPlan): Promise<void> {
  const done: string[] = [];
  try {
    if (record && !(await write(lake, run, record))) throw new UsageError("its record was changed meanwhile");
    for (const { what, prefix } of parts) {
      await lake.remove(prefix);
      done.push(what);
    }
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof TransientError)) throw error;
    const so = done.length === 0 ? "nothing was removed" : `removed are ${list(done)}`;
    throw new NotRemovedError(
      `run ${quote(run)} could not be removed: ${error.message}; ${so}; "npx --no oneoff runs rm ${run} --stack ${stack.name}" goes on`,
    );
  }
}

const write = (
  lake: StackRuns["lake"],
  run: string,
  { content, etag }: NonNullable<RemovalPlan["record"]>,
): Promise<boolean> =>
  etag === undefined ? lake.create(recordKey(run), content) : lake.replace(recordKey(run), content, etag);

/** It was begun and not ended. */
class NotRemovedError extends UsageError {
  override readonly exit = Exit.failed;
}

const list = (names: readonly string[]): string => new Intl.ListFormat("en-GB").format(names);
