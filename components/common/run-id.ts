import * as pulumi from "@pulumi/pulumi";
import { checkRunId } from "../../core/run.ts";

/** What the stack's setting `oneoff:runId` says, which `oneoff run` sets; undefined where it isn't set. */
export const runIdSetting = (): string | undefined => new pulumi.Config("oneoff").get("runId");

/**
 * The id of a cluster's run.
 *
 * @param given by the program. @default the stack's setting `oneoff:runId`, else "1"
 * @throws UsageError for what is no run id.
 */
export const runIdOf = (given: string | undefined): string =>
  given === undefined ? checkRunId(runIdSetting() ?? "1", "oneoff:runId") : checkRunId(given);
