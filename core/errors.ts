/**
 * The caller can cure it: one line that names the setting, the value and the cure. Pulumi and the command line show it
 * without a stack trace.
 */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
  /** Pulumi tells by this field what it shows in one line (`RunError` of @pulumi/pulumi/errors), whoever made the class. */
  readonly __pulumiRunError = true;
}

/** What can't be told now, and may be later: a service that is asked too often, a network that is gone. */
export class PassingError extends Error {
  override readonly name = "PassingError";
}

/** `text` as it stands in an error message: quoted, so that an empty or blank value is seen too. */
export const quote = (value: unknown): string => JSON.stringify(value) ?? String(value);
