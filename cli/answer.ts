/** Answers for programs: JSON on standard output, whose keys are always there. */

/**
 * Prints an answer, one document. Its number rises only when a key goes or changes its meaning.
 * @param schema such as "runs/1".
 */
export function answerJson(schema: Schema, body: Body): void {
  writeLine({ schema: `oneoff.${schema}`, ...body });
}

type Schema = `${string}/${number}`;
type Body = Readonly<Record<string, unknown>>;

/** Answers that come one after the other, a line each: each says what it is and when that was. */
export class JsonLines {
  constructor(schema: Schema, body: Body) {
    this.#write("begin", { schema: `oneoff.${schema}`, ...body });
  }

  write(type: string, body: Body): void {
    this.#write(type, body);
  }

  /** @param exit what the command ends with. */
  end(state: string, exit: number): void {
    this.#write("end", { state, exit });
  }

  #write(type: string, body: Body): void {
    writeLine({ type, at: new Date().toISOString(), ...body });
  }
}

function writeLine(body: Body): void {
  const whole = (_: string, value: unknown) => (value === undefined ? null : value);
  process.stdout.write(`${JSON.stringify(body, whole)}\n`);
}
