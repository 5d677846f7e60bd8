/** Lines for Cloud Logging (https://cloud.google.com/logging/docs/structured-logging). */
type Severity = "INFO" | "WARNING" | "ERROR";

export function log(severity: Severity, message: string): void {
  process.stdout.write(`${JSON.stringify({ severity, message })}\n`);
}

/** Without line breaks. */
export const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();
