import { rmSync } from "node:fs";
import { join } from "node:path";
import { lakeLayout } from "../core/lake-layout.ts";
import {
  CancelRequest,
  cancelledError,
  cancelledStatus,
  failedStatus,
  RunRecord,
  RunStatus,
  recordedStatus,
} from "../core/run.ts";
import { SECRETS } from "../core/run-spec.ts";
import { readJson } from "./json.ts";
import { isAlive, registered } from "./process.ts";
import { isFull, noSpace } from "./space.ts";

/** What the driver is told. */
export const specFile = (folder: string): string => join(folder, "spec.json");
export const statusFile = (folder: string): string => join(folder, "status.json");
/** Room that the driver keeps for the status's last word, as assets/jobs/oneoff.py names it. */
export const spareFile = (folder: string): string => join(folder, ".status.json.spare");
/** The driver, the job's files and scratch space, gone when the cluster ends. */
export const workFolder = (folder: string): string => join(folder, "work");
export const secretsFolder = (folder: string): string => join(workFolder(folder), SECRETS);

/** The status that a cluster last wrote, in `status.json` of its folder; undefined while there is none. */
const readStatus = (folder: string): RunStatus | undefined => RunStatus.safeParse(readJson(statusFile(folder))).data;

/** Removes what a driver that was killed could not: all that was for the run alone. */
export function clearHome(folder: string): void {
  const old = join(folder, "secrets"); // where version 0.1.0 had them
  for (const path of [workFolder(folder), spareFile(folder), old])
    rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}

/** How a run is doing, and whether its cluster could not say so itself. */
export interface RunSnapshot {
  readonly status: RunStatus;
  /** The cluster was killed; the status is what follows from that, and nobody has written it down yet. */
  readonly orphaned: boolean;
}

/** How a run is doing, undefined when nothing of it is left. A record that has ended is the last word. */
export function findRun(lake: string, run: string): RunSnapshot | undefined {
  const folder = lakeLayout(lake).cluster(run);
  const alive = isAlive(registered(folder)); // looked at first: what it writes after that is newer
  const record = RunRecord.safeParse(readJson(lakeLayout(lake).record(run))).data;
  const status = recordedStatus(readStatus(folder), record);
  if (!status) return undefined;
  if (status.state !== "running" || alive) return { status, orphaned: false };
  const asked = CancelRequest.safeParse(readJson(lakeLayout(lake).cancel(run))).data;
  if (asked) return { status: cancelledStatus(status, cancelledError(asked)), orphaned: true };
  return { status: failedStatus(status, isFull(lake) ? `${KILLED}; ${noSpace(lake)}` : KILLED), orphaned: true };
}

/** Why a run failed whose cluster is no more and has not said so. */
export const KILLED = "its cluster was killed, or the machine restarted, before the run ended";
