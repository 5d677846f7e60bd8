import { QueryError } from "./engine.ts";

/** More is of no use to a page, and stands in memory several times. */
export const MOST_BYTES = 64 * 1024 * 1024;

export const tooLarge = (bytes: number): QueryError =>
  new QueryError(
    `its result is ${Math.round(bytes / 1e6)} MB, more than a page can show; aggregate it, or give it a LIMIT`,
  );

/** What is wrong with a result is the query's fault. */
export function asQueryError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new QueryError((error as Error).message, { cause: error });
  }
}

/** Long texts are cut: the log has all of them. A question ("Did you mean ...?") is no end. */
export function firstSentence(text: string): string {
  const line = text.split("\n")[0] as string;
  return (/^.*?[.!](?=\s|$)/.exec(line)?.[0] ?? line).replace(/\.$/, "").slice(0, 300);
}
