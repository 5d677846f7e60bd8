import { formatDuration, secondsIfAny } from "../../core/duration.ts";
import { TransientError, UsageError } from "../../core/errors.ts";
import type { Google } from "./client.ts";
import type { Instance } from "./gcloud.ts";

/** As of https://cloud.google.com/compute/docs/reference/rest/v1/instances */
interface Described {
  readonly status?: string;
  readonly lastStartTimestamp?: string;
  readonly lastStopTimestamp?: string;
}

/**
 * What the dashboard's instance is at, in words.
 * @throws UsageError when it will not answer by itself any more.
 */
export async function instanceState(
  google: Google,
  stack: string,
  { name, zone, project }: Instance,
  deadline: string | undefined,
): Promise<string> {
  const path = `compute/v1/projects/${project}/zones/${zone}/instances/${name}`;
  let found: Described | undefined;
  try {
    found = await google.orUndefined<Described>("compute", path);
  } catch (error) {
    // gcloud has credentials of its own, which may do.
    if (error instanceof UsageError || error instanceof TransientError) return "what the instance is at is not known";
    throw error;
  }
  if (!found) {
    throw new UsageError(
      `the dashboard's instance ${name} is no more: "npx pulumi up --refresh --stack ${stack}" makes another, and the results are still in the lake`,
    );
  }
  switch (found.status) {
    case "STOPPING":
    case "STOPPED":
    case "TERMINATED":
    case "SUSPENDED":
    case "SUSPENDING": {
      const limit = secondsIfAny(deadline);
      const start = `"gcloud compute instances ${found.status.startsWith("SUSP") ? "resume" : "start"} ${name} --zone ${zone} --project ${project}"`;
      const why =
        limit !== undefined && ran(found) >= limit
          ? `was stopped at its deadline of ${formatDuration(limit)}`
          : "is stopped";
      throw new UsageError(
        `the dashboard's instance ${name} ${why}: start it${limit === undefined ? "" : `, for another ${formatDuration(limit)},`} with ${start}`,
      );
    }
    case "RUNNING":
      return "the instance is running";
    default:
      return "the instance is starting";
  }
}

/** How long it ran before it was stopped, in seconds; a minute less is as good. */
const ran = ({ lastStartTimestamp: from, lastStopTimestamp: to }: Described): number =>
  from === undefined || to === undefined ? 0 : (Date.parse(to) - Date.parse(from)) / 1000 + 60;
