import { RunError } from "@pulumi/pulumi/errors.js";

/**
 * The caller can cure it: one line that names the setting, the value and the cure. Pulumi and the command line show it
 * without a stack trace.
 */
export class UsageError extends RunError {
  override readonly name: string = "UsageError";
}

/** `text` as it stands in an error message: quoted, so that an empty or blank value is seen too. */
export const quote = (value: unknown): string => JSON.stringify(value) ?? String(value);
