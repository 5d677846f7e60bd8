/** What Auto Scaling did about a fleet's workers, in words: a machine that isn't to be had is told of nowhere else. */
import type { Activity } from "@aws-sdk/client-auto-scaling";
import { clock } from "../../when.ts";

/** Something that a launch failed by. The first one that fits is told, the one to be cured by its user before what may pass. */
interface Cause {
  readonly text: RegExp;
  /** @param found what the pattern found; `places` where and of which type, as far as Auto Scaling says. */
  sentence(found: RegExpExecArray, places: string): string;
}

const ASK = '"npx --no oneoff doctor" says which one, and has the command that asks for more';

/**
 * As Auto Scaling, and EC2 through it, wrote them:
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/ts-as-capacity.html, .../ts-as-instancelaunchfailure.html, and threads such as
 * mludvig/aws-ethereum-miner#23, 2i2c-org/infrastructure#3334, kubernetes/autoscaler#3241, deepracer-on-the-spot#55.
 */
const CAUSES: readonly Cause[] = [
  {
    text: /not eligible for Free Tier/i,
    sentence: () =>
      "the account is on AWS's free plan, which rents none of these types: upgrade it to the paid plan (console, Billing, Free tier)",
  },
  {
    text: /VcpuLimitExceeded|current vCPU limit of (\d+)/,
    sentence: (found) => {
      const limit = /vCPU limit of (\d+)/.exec(found.input)?.[1];
      const kind = /Spot Instances/.test(found.input) ? "spot" : "on-demand";
      return `the account's quota for ${kind} machines of that family is ${limit === undefined ? "used up" : `${limit} vCPUs in all`}: ${ASK}; or take fewer workers`;
    },
  },
  {
    text: /Max ?Spot ?Instance ?Count ?Exceeded/i,
    sentence: () =>
      `the account's quota for spot machines of that family is used up: ${ASK}; or take on-demand workers`,
  },
  {
    text: /ServiceLinkedRoleCreationNotPermitted|permission to create the service-linked role/,
    sentence: () =>
      'the account has no role for spot machines, and may not make it: "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com", once',
  },
  {
    text: /SpotMaxPriceTooLow|price is lower than the minimum/,
    sentence: () =>
      "what spot machines cost is above the highest price that is set: leave that out, which means the on-demand price",
  },
  {
    text: /not supported in your requested Availability Zone/,
    sentence: (_, places) => `${places} is not offered: name other types, or more zones`,
  },
  {
    text: /InsufficientInstanceCapacity|InsufficientHostCapacity|UnfulfillableCapacity|do not have sufficient|no Spot capacity|capacity-not-available/,
    sentence: ({ input }, places) => {
      const elsewhere = /or choosing ([a-z0-9-]+(?:, [a-z0-9-]+)*)/.exec(input)?.[1];
      const kind = /Spot/.test(input) ? "spot" : "on-demand";
      const hint = elsewhere === undefined ? "" : ` (EC2 names ${elsewhere})`;
      return `there is no ${kind} machine to be had for ${places} just now: name more types or GPUs, or more zones${hint}${kind === "spot" ? ", or take on-demand workers" : ""}`;
    },
  },
  {
    text: /PendingVerification|being validated/,
    sentence: () => "AWS still validates the account for this region, which takes up to 4 hours",
  },
];

/** As it is shown where none of them fits. */
const MOST_LETTERS = 300;

const isLaunch = ({ Description = "" }: Activity): boolean => /^Launching/.test(Description);
const isOver = ({ StatusCode }: Activity): boolean => /^(Successful|Failed|Cancelled)$/.test(String(StatusCode));
const textOf = ({ StatusMessage, Description = "" }: Activity): string => StatusMessage || Description;
const startOf = ({ StartTime }: Activity): number => StartTime?.getTime() ?? 0;

/**
 * Why a group has fewer workers than it wants, in a sentence that names the cure; undefined where nothing went wrong with the last that
 * it tried.
 *
 * @param activities of the group, in any order.
 */
export function whyNoWorkers(activities: readonly Activity[]): string | undefined {
  const newestFirst = [...activities].sort((a, b) => startOf(b) - startOf(a)).filter(isOver);
  const success = newestFirst.findIndex((activity) => isLaunch(activity) && activity.StatusCode === "Successful");
  const since = success < 0 ? newestFirst : newestFirst.slice(0, success);
  const failed = since.filter((activity) => isLaunch(activity) && activity.StatusCode === "Failed");
  return failed.length > 0 ? whyFailed(failed) : whyLost(since);
}

function whyFailed(failed: readonly Activity[]): string {
  for (const { text, sentence } of CAUSES) {
    const alike = failed.filter((activity) => text.test(textOf(activity)));
    const [newest] = alike;
    const found = newest && text.exec(textOf(newest));
    if (found) return sentence(found, placesOf(alike));
  }
  const [newest] = failed as [Activity];
  const message = textOf(newest).replace(/\s+/g, " ").slice(0, MOST_LETTERS);
  return `Auto Scaling could not start a worker (${message}): if that stays so, its group's activities in the console of EC2 have more`;
}

/** "g4dn.xlarge in us-west-2a and us-west-2b", as far as that is known. */
function placesOf(failed: readonly Activity[]): string {
  const list = new Intl.ListFormat("en-GB");
  const of = (pattern: RegExp, more: (activity: Activity) => string | undefined = () => undefined) =>
    [...new Set(failed.map((activity) => pattern.exec(textOf(activity))?.[1] ?? more(activity)))].filter(
      (found) => found !== undefined,
    );
  const types = of(/(?:sufficient |instance type \()([a-z0-9-]+\.[a-z0-9]+)/);
  const zones = of(/Availability Zone(?: you requested)? \(([a-z0-9-]+)\)/, zoneIn).sort();
  const type = types.length === 0 ? "these types" : list.format(types);
  return zones.length === 0 ? type : `${type} in ${list.format(zones)}`;
}

function zoneIn({ Details }: Activity): string | undefined {
  try {
    return JSON.parse(Details ?? "{}")["Availability Zone"];
  } catch {
    return undefined;
  }
}

/** A worker that was taken away, and another isn't there yet. */
function whyLost(activities: readonly Activity[]): string | undefined {
  const lost = activities.find(({ Description = "", Cause = "" }) => {
    return /^Terminating/.test(Description) && LOST.test(Cause);
  });
  if (lost === undefined) return undefined;
  const id = /i-[0-9a-f]+/.exec(lost.Description ?? "")?.[0] ?? "a worker";
  return `${id} was taken away at ${clock(new Date(startOf(lost)))} UTC, as EC2 does with spot machines, and the group asks for another`;
}

const LOST = /spot instance interruption|rebalance recommendation|indicating it has been terminated or stopped/i;
