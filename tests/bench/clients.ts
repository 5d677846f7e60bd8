/** What clients of a query service add to a query's own time, and how long the whole page takes to refresh. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dashboard } from "../../assets/dashboard/server.ts";
import type { Job } from "../../core/job.ts";
import type { Figure } from "./index.ts";

/** Milliseconds that queries take, and how they are called. Those drawn are the same for all, spread evenly. */
const TIMES: Readonly<Record<string, readonly number[]>> = {
  "T = 0.3 s": Array(20).fill(300),
  "T = 1 s": Array(20).fill(1000),
  "T = 4 s": Array(8).fill(4000),
  "T from 0.3 to 4 s": Array.from({ length: 20 }, (_, i) => Math.round(300 + 3700 * ((i * 0.618034 + 0.37) % 1))),
};
const REFRESHES = 8;
/** An answer of the page that is not there after this long is late. */
const AIM = "<= 1.5 s";

/** Runs a query and reads its rows. @returns the seconds that took. */
export type Client = () => Promise<number>;

export interface Overheads {
  /** By name; the first is compared with each of the others. */
  readonly clients: Readonly<Record<string, Client>>;
  /** Has the endpoint take so long for each query from now on. */
  readonly prepare: (milliseconds: number) => Promise<void>;
  /** Of the comparison. */
  readonly aim: string;
  /** How the first's overhead compares with another's, both in milliseconds. */
  readonly compare: (mine: number, its: number) => string;
  /** What `compare` gives. */
  readonly comparison: string;
}

/** Clients in turn, so that what else the machine does hits all of them. */
export async function overheads({ clients, prepare, aim, compare, comparison }: Overheads): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  const names = Object.keys(clients);
  const round = async (milliseconds: number) => {
    const seconds: Record<string, number> = {};
    for (const [name, client] of Object.entries(clients)) {
      await prepare(milliseconds);
      seconds[name] = await client();
    }
    return seconds;
  };
  for (const milliseconds of [50, 50]) await round(milliseconds); // to warm up
  for (const [what, times] of Object.entries(TIMES)) {
    const rounds: Readonly<Record<string, number>>[] = [];
    for (const milliseconds of times) rounds.push(await round(milliseconds));
    const of = (name: string) => rounds.map((seconds, i) => (seconds[name] as number) * 1000 - (times[i] as number));
    const mine = of(names[0] as string);
    for (const name of names) {
      const its = of(name);
      const at = (share: number) => compare(percentile(mine, share), percentile(its, share));
      figures.push({
        what: `${what}: overhead of ${name}`,
        measured: `p50 ${Math.round(percentile(its, 0.5))} ms, p95 ${Math.round(percentile(its, 0.95))} ms${name === names[0] ? "" : `; ${comparison}: p50 ${at(0.5)}, p95 ${at(0.95)}`}`,
        ...(name !== names[0] && { aim }),
      });
    }
  }
  return figures;
}

/**
 * Milliseconds until the last panel is answered after all tables changed, through the server and as a browser asks.
 *
 * @param change has new files in every table of run 1.
 */
export async function refreshes(
  dashboard: Dashboard,
  { panels }: Job,
  change: (round: number) => Promise<void>,
): Promise<readonly Figure[]> {
  const times: number[] = [];
  await fetch(`${dashboard.url}api/runs`); // as the page does before it knows what to ask for
  for (let i = 0; i <= REFRESHES; i++) {
    await change(i);
    await sleep(1100); // until the server looks again
    const before = performance.now();
    await Promise.all(panels.map(({ name }) => rows(`${dashboard.url}api/panels/${name}?run=1`)));
    times.push(performance.now() - before);
  }
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
  const [first, ...later] = times as [number, ...number[]];
  return [
    { what: "refresh of all panels of xo, T = 1 s: the first", measured: seconds(first), aim: AIM },
    {
      what: "refresh of all panels of xo, T = 1 s: later ones",
      measured: `p50 ${seconds(percentile(later, 0.5))}, the longest ${seconds(Math.max(...later))}`,
      aim: AIM,
    },
  ];
}

async function rows(url: string): Promise<void> {
  const response = await fetch(url, { headers: { "accept-encoding": "gzip, deflate, br" } });
  const answer = (await response.json()) as { rows?: number };
  if (!answer.rows) throw new Error(`${url}: ${JSON.stringify(answer)}`);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] as number; // nearest rank
}
