let stream: NodeJS.WritableStream = process.stderr;

/** Where lines go from now on. @default standard error */
export function logTo(to: NodeJS.WritableStream): void {
  stream = to;
}

/** One line for people, with the detail that the page doesn't show below it. */
export function log(message: string, detail?: unknown): void {
  const text = detail instanceof Error ? (detail.stack ?? detail.message) : detail;
  stream.write(`${new Date().toISOString()} ${message}${text === undefined ? "" : `\n  ${String(text)}`}\n`);
}
