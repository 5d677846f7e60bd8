/**
 * @param values put where the text has `{{name}}`.
 * @throws Error when one is missing.
 */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the user data has no value for {{${name}}}`);
    return value;
  });
}

/** Whether a value can stand in a script, a unit or a document as it is. */
export const isPlain = (value: string): boolean =>
  /^[A-Za-z0-9_][A-Za-z0-9._/:@-]*$/.test(value) && !/[/:@]$/.test(value);

/** @throws Error when one of the values can't stand there as it is. */
export function checkPlain(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!isPlain(value)) throw new Error(`${name} cannot be ${JSON.stringify(value)} in user data`);
  }
}
