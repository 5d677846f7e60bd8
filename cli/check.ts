import { TransientError, UsageError } from "../core/errors.ts";

/** One thing that a stack needs. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do where it isn't ok. */
  readonly cure?: string;
  /** It isn't there and need not be yet. @default false: it is missing */
  readonly later?: boolean;
}

/** A check that fails is one that is missing: the others are still made. */
export async function runCheck(name: string, check: () => Promise<Check>): Promise<Check> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof TransientError)) throw error;
    return failedCheck(name, error);
  }
}

export const failedCheck = (name: string, { message }: Error): Check => ({ name, ok: false, detail: message });
