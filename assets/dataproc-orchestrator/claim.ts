/** `_launches/<run>.json`: that a run was begun, with what, and until when it lasts. Whoever goes on with it starts there. */
import { Prefix } from "../../core/lake-layout.ts";
import type { Lake, Written } from "./store.ts";

export interface Launched {
  readonly run: string;
  /** Of the launch. */
  readonly digest: string;
  /** ISO 8601 in UTC. */
  readonly started: string;
  readonly deadline: string;
  /** Mode `workflow`: name of the operation that runs the template. */
  readonly operation?: string;
}

export interface Claim {
  readonly launched: Launched;
  /** Somebody began before, and may have asked for anything. */
  readonly resumed: boolean;
}

const keyOf = (run: string) => `${Prefix.launches}/${run}.json`;

/** What is known of a run's launch; undefined when it was not begun. */
export async function findClaim(lake: Lake, run: string): Promise<Claim | undefined> {
  const written = await lake.read(keyOf(run));
  return written && { launched: launchedIn(written), resumed: true };
}

/** Begins a run, if nobody else has. */
export async function claim(lake: Lake, launched: Launched): Promise<Claim> {
  if (await lake.replace(keyOf(launched.run), launched, undefined)) return { launched, resumed: false };
  // It may have been ourselves: a request whose answer was lost is made again.
  return (await findClaim(lake, launched.run)) ?? claim(lake, launched);
}

/** Adds the name of the operation. */
export async function remember(lake: Lake, run: string, operation: string): Promise<void> {
  const written = await lake.read(keyOf(run));
  if (written) await lake.replace(keyOf(run), { ...launchedIn(written), operation }, written);
}

const launchedIn = ({ text }: Written) => JSON.parse(text) as Launched;
