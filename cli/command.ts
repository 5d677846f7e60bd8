import type { Command } from "commander";

/** One command of `oneoff`: a module of commands/ and a line in its index. */
export interface OneoffCommand {
  /** Says what it takes and what it does. */
  describe(command: Command): void;
  /** Whether the help leaves it out. @default false */
  readonly isHidden?: boolean;
}
