import { setTimeout as sleep } from "node:timers/promises";
import { Prefix } from "../../core/lake-layout.ts";
import { asWritten, type RunStatus } from "../../core/run.ts";
import { log } from "./log.ts";
import type { Lake } from "./store.ts";

type Step = RunStatus["steps"][number];

/** How often the last status is tried to be written. */
const ATTEMPTS = 4;

export const statusKey = (run: string): string => `${Prefix.clusters}/${run}/status.json`;

/** `_clusters/<run>/status.json`, kept up to date. */
export class StatusFile {
  readonly #lake: Pick<Lake, "write">;
  readonly #everyMs: number;
  #status: RunStatus;
  #written = "";
  #lastMs = 0;
  #keeping: Promise<void> | undefined;

  constructor(lake: Pick<Lake, "write">, first: RunStatus, everyMs: number) {
    this.#lake = lake;
    this.#status = first;
    this.#everyMs = everyMs;
    this.#touch();
  }

  get now(): RunStatus {
    return this.#status;
  }

  /** What the machines are at. */
  machines(cluster: RunStatus["cluster"]): void {
    const { cluster: _, ...rest } = this.#status;
    this.#set({ ...rest, ...(cluster && { cluster }) });
  }

  /** How a step is doing. Times that are not given stay, and are taken from the clock where there are none. */
  step(name: string, state: Step["state"], times: Pick<Step, "started" | "ended"> = {}): void {
    const steps = this.#status.steps.map((step) => (step.name === name ? stepIn(step, state, times) : step));
    this.#set({ ...this.#status, steps });
  }

  /**
   * The last status, which is written when this returns if that can be done. What runs ends as the run does, and no step of
   * one that was cancelled has failed by itself.
   */
  async end(state: "succeeded" | "failed" | "cancelled", error?: string): Promise<void> {
    const ends = (step: Step) => step.state === "running" || (step.state === "failed" && state === "cancelled");
    const steps = this.#status.steps.map((step) => (ends(step) ? stepIn(step, state, {}) : step));
    this.#set({ ...this.#status, state, steps, ended: new Date().toISOString(), ...(error && { error }) });
    for (let attempt = 0; attempt < ATTEMPTS && this.#written !== JSON.stringify(this.#status); attempt += 1) {
      this.#touch();
      await this.#keeping;
    }
  }

  #set(status: RunStatus): void {
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return;
    this.#status = status;
    this.#touch();
  }

  #touch(): void {
    this.#keeping ??= this.#keep().finally(() => {
      this.#keeping = undefined;
    });
  }

  /** Writes until what is written is what is known. */
  async #keep(): Promise<void> {
    while (this.#written !== JSON.stringify(this.#status)) {
      await sleep(Math.max(0, this.#lastMs + this.#everyMs - Date.now()));
      const text = JSON.stringify(this.#status);
      this.#lastMs = Date.now();
      try {
        await this.#lake.write(statusKey(this.#status.run), asWritten(this.#status));
        this.#written = text;
      } catch (error) {
        log("WARNING", `the run's status could not be written: ${(error as Error).message}`);
        return;
      }
    }
  }
}

function stepIn(step: Step, state: Step["state"], times: Pick<Step, "started" | "ended">): Step {
  if (state === "pending") return step;
  const now = new Date().toISOString();
  const started = times.started ?? step.started ?? now;
  return { ...step, state, started, ...(state !== "running" && { ended: times.ended ?? step.ended ?? now }) };
}
