/** One line for people on standard error, with the detail that the page doesn't show below it. */
export function log(message: string, detail?: unknown): void {
  const text = detail instanceof Error ? (detail.stack ?? detail.message) : detail;
  process.stderr.write(`${new Date().toISOString()} ${message}${text === undefined ? "" : `\n  ${String(text)}`}\n`);
}
