/**
 * Placeholders in a text: `{name}` stands for a value, `{{` for `{` and `}}` for `}`, as in Python's f-strings. Any other
 * brace stands for itself, which {@link hasStrayBrace} finds.
 */
const TOKENS = /\{\{|\}\}|\{([^{}]*)\}/g;

/** Names between braces, in order: `"{points} and {run}"` has `points` and `run`. */
export const placeholders = (text: string): readonly string[] =>
  [...text.matchAll(TOKENS)].flatMap(([, name]) => (name === undefined ? [] : [name]));

/** Puts values in for the placeholders of `text`, and one brace for two. */
export const fill = (text: string, value: (placeholder: string) => string): string =>
  text.replace(TOKENS, (token, name: string | undefined) => (name === undefined ? (token[0] as string) : value(name)));

/** Whether there is a brace that is neither doubled nor a placeholder's. */
export const hasStrayBrace = (text: string): boolean => /[{}]/.test(text.replace(TOKENS, ""));
