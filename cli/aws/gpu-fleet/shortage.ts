/** Workers that a fleet lacks: how many, why, and what becomes of that. */
import { secondsIfAny } from "../../../core/duration.ts";
import { clock } from "../../when.ts";
import { whyNoWorkers } from "./capacity.ts";
import type { SeenGroup } from "./machines.ts";
import type { SeenFleet } from "./seen.ts";

/** Why there are fewer workers than the fleet wants, and what follows: a line, or none. */
export function capacityWarnings(seen: SeenFleet): readonly string[] {
  const { group, spare, stack } = seen;
  const gaveBack = gaveBackOf(seen);
  if (group && gaveBack) {
    const why = whyNoWorkers(group.activities);
    return [
      `${gaveBack}${why === undefined ? "" : `: ${why}`}; "npx --no oneoff fleet wake ${stack}" asks for all of them again`,
    ];
  }
  const groups = [group, spare].filter((group) => group !== undefined);
  const short = groups.filter(isShort);
  if (short.length === 0) return [];
  const sum = (of: "there" | "desired") => groups.reduce((sum, group) => sum + group[of], 0);
  const why = [...new Set(short.flatMap(({ activities }) => whyNoWorkers(activities) ?? []))];
  const others = why.length === 0 ? ", and the others are asked for" : `: ${why.join("; ")}`;
  const follows = whatFollows(seen) ?? (why.length === 0 ? undefined : "the others are asked for again and again");
  return [
    `${sum("there")} of ${sum("desired")} workers are there${others}${follows === undefined ? "" : `; ${follows}`}`,
  ];
}

const isShort = ({ there, desired }: SeenGroup): boolean => there < desired;

/** Of a gang that was given back since it wasn't whole, until it is asked for again. */
export function gaveBackOf({ group, reaper }: SeenFleet): string | undefined {
  if (!group || group.desired > 0 || !reaper?.gaveBack) return undefined;
  const { at, there, wanted } = reaper.gaveBack;
  return `the workers were given back at ${clock(at)} UTC, as ${there} of ${wanted} were there, and a gang is whole or none`;
}

/** What the reaper does about it, and when. */
function whatFollows({ group, spare, reaper }: SeenFleet): string | undefined {
  if (!group || !isShort(group)) return undefined;
  const wait = spare?.fallback ?? group.gang;
  const seconds = secondsIfAny(wait);
  if (seconds === undefined) return undefined;
  const since = reaper?.shortSince;
  const when = since ? `at ${clock(new Date(Date.parse(since) + seconds * 1000))} UTC` : `after ${wait}`;
  if (spare) return spare.desired < spare.most ? `${when} on-demand ones come in their place` : undefined;
  return `${when} all are given back if they are not all there by then`;
}
