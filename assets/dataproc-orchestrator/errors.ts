import { googleError } from "../../clients/google.ts";
import { RunError } from "./context.ts";
import { oneLine } from "./log.ts";

/** What goes wrong often, and what to do then. */
const CURES: readonly (readonly [pattern: RegExp, cure: (project: string, found: RegExpExecArray) => string])[] = [
  [
    /([\w.-]+\.googleapis\.com)\b.*(?:has not been used|is disabled|not enabled)|(?:has not been used|is disabled|not enabled).*?\b([\w.-]+\.googleapis\.com)\b/i,
    (project, [, before, after]) =>
      `enable it with "gcloud services enable ${before ?? after} --project ${project}", and start the run anew`,
  ],
  [
    /has not been used in project|it is disabled|SERVICE_DISABLED/i,
    (project) =>
      `enable it at https://console.cloud.google.com/apis/library?project=${project}, and start the run anew`,
  ],
  [
    /stockout|RESOURCE_POOL_EXHAUSTED|does not have enough resources|resource_availability/i,
    () =>
      "Google has no more of these machines there at the moment: try again later, or choose another region or machine type",
  ],
  [
    /quota|RESOURCE_EXHAUSTED/i,
    (project) =>
      `take fewer or smaller machines, or ask for more at https://console.cloud.google.com/iam-admin/quotas?project=${project}`,
  ],
  [
    /'?\b[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+'? permission|permission '?[a-z]+\.\w+\.\w+|^permission denied|not authorized to|does not have (?:[\w.]+ )?(?:access|permission)|PERMISSION_DENIED/i,
    () => "give the service account that it names this permission, and start the run anew",
  ],
];

/** What Google said, in one line, with what can be done about it. */
export function withCure(message: string, project: string): string {
  const line = oneLine(message).replace(/\.$/, "");
  for (const [pattern, cure] of CURES) {
    const found = pattern.exec(line);
    if (found) return `${line}: ${cure(project, found)}`;
  }
  return line;
}

/** @throws RunError that says what was asked for and why Google refused it. */
export function refuse(what: string, error: unknown, project: string): never {
  if (error instanceof RunError) throw error;
  const { message, code } = googleError(error);
  const text =
    code === 403 && !/permission|authorized|\.googleapis\.com/i.test(message)
      ? `permission denied: ${message}`
      : message;
  throw new RunError(`${what} was refused: ${withCure(text, project)}`);
}
