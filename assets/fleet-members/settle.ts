import { isDeepStrictEqual } from "node:util";

/** Which data nodes HDFS consists of. */
export interface Members {
  /** Where each transfers data. */
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  /** Copies of each block. */
  readonly replication: number;
}

/** What the head says of it: assets/fleet/head.py writes it. */
export interface Answer {
  readonly state: "running" | "done" | "failed";
  readonly wanted?: Members;
  readonly said: readonly string[];
  readonly problem?: string;
}

export interface Place {
  readonly answer: () => Promise<Answer | undefined>;
  /** Until the function is ended. */
  readonly remainingMs: () => number;
  readonly pollMs: number;
  /** How long the head may say nothing of what is wanted. */
  readonly silentMs: number;
}

/** What is left for the answer. */
const SPARE_MS = 30_000;

/**
 * Waits until those that are wanted no more have given up their blocks; nobody is waited for when none goes.
 *
 * @throws Error when they can't, when the head says nothing, and when it takes longer than the function may: it goes on then.
 */
export async function settle(before: Members, wanted: Members, place: Place): Promise<void> {
  const gone = before.nodes.filter(({ name }) => !wanted.nodes.some((node) => node.name === name));
  if (gone.length === 0) return;
  const who = gone.map(({ name }) => name).join(", ");
  let last = "";
  for (let silent = 0; ; silent += place.pollMs) {
    const answer = await place.answer();
    if (answer !== undefined && isDeepStrictEqual(answer.wanted, wanted)) {
      silent = 0;
      if (answer.state === "done") return;
      if (answer.state === "failed") throw new Error(`${who} can't go, and nothing was deleted: ${answer.problem}`);
      last = answer.said.at(-1) ?? "";
    }
    if (silent >= place.silentMs) {
      throw new Error(
        `${who} can't go, and nothing was deleted: the fleet's head says nothing; "npx --no oneoff fleet status" tells why, and "npx --no oneoff fleet wake" starts one that was stopped`,
      );
    }
    if (place.remainingMs() < SPARE_MS + place.pollMs) {
      throw new Error(
        `${who} still give up their blocks (${last || "it has just begun"}), and nothing was deleted: "pulumi up" waits on, and with them back in the settings it takes them back`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, place.pollMs));
  }
}
