/** The caller can cure it: shown as one line that names the setting, the value and the cure, never with a stack trace. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** `text` as it stands in an error message: quoted, so that an empty or blank value is seen too. */
export const quote = (value: unknown): string => JSON.stringify(value) ?? String(value);
