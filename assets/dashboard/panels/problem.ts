import { SQL_ENGINES, type SqlEngine } from "../../../core/sql-engine.ts";

/** What is wrong with a panel: `what` is a clause about it, `cure` what to do. */
export interface Fault {
  /** Engines on which it shows, or fails. @default all */
  readonly engines?: readonly SqlEngine[];
  readonly what: string;
  readonly cure: string;
  /** Nothing fails by it. @default false */
  readonly isHint?: boolean;
}

export interface Problem extends Fault {
  readonly panel: string;
}

/** Whether it keeps the panel from being shown where `engine` queries. */
export const isRefused = ({ engines = SQL_ENGINES, isHint = false }: Problem, engine: SqlEngine): boolean =>
  !isHint && engines.includes(engine);

/** A problem as one line. */
export const told = ({ panel, what, cure }: Problem): string => `panel "${panel}" ${what}: ${cure}`;
