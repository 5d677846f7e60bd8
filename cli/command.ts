import type { Command } from "commander";

/** One command of `oneoff`: a module of commands/, loaded when it is asked for, and a line in its index. */
export interface OneoffCommand {
  /**
   * Says what it takes and what it does.
   * @param flags what stands after "--": options of the command of Pulumi's that it gives.
   * @param all the commands there are, by their names.
   */
  describe(command: Command, flags: readonly string[], all: Readonly<Record<string, CommandEntry>>): void;
}

/** What the help says of a command before its module is loaded. */
export interface CommandEntry {
  /** What it does, in one line. */
  readonly summary: string;
  /** Heading of the help that it stands under. @default the help leaves it out */
  readonly group?: Group;
  /** The command of Pulumi's whose options it takes after "--". @default none */
  readonly passesTo?: string;
  load(): Promise<OneoffCommand>;
}

/** Headings of the help, in their order. */
export const groups = ["Start", "Runs", "Fleet", "Streams", "Money and traces", "Set-up"] as const;
export type Group = (typeof groups)[number];
