/** Answers for programs: one JSON document on standard output, whose keys are always there. */

/**
 * Prints an answer. Its number rises only when a key goes or changes its meaning.
 * @param schema such as "runs/1".
 */
export function answerJson(schema: `${string}/${number}`, body: Readonly<Record<string, unknown>>): void {
  const whole = (_: string, value: unknown) => (value === undefined ? null : value);
  process.stdout.write(`${JSON.stringify({ schema: `oneoff.${schema}`, ...body }, whole)}\n`);
}
