import { googleError } from "../../../../clients/google.ts";
import { QueryError } from "../../engine.ts";
import { firstSentence } from "../../results.ts";

/** What an error is told in terms of. */
export interface BigQueryScope {
  readonly project: string;
  readonly location: string;
  readonly dataset: string;
}

const CREDENTIALS =
  /default credentials|invalid_grant|invalid authentication credentials|metadata server|Login Required/i;
const UNREACHED = /ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ETIMEDOUT|EPIPE/;
const DISABLED = /API has not been used in project|is disabled|SERVICE_DISABLED|accessNotConfigured/;
/** "bigquery.jobs.create", "storage.objects.list" */
const PERMISSION = /\b(?:bigquery|storage)\.[a-z]+\.[a-zA-Z]+\b/;

/** A call that Google refused, that did not get there, or a query that failed. `permission` is what the call needs. */
export function refused(error: unknown, permission: string, place: BigQueryScope): QueryError {
  if (error instanceof QueryError) return error;
  const { code, message } = googleError(error);
  const said = (error as { readonly errors?: readonly { readonly reason?: string }[] }).errors?.[0]?.reason ?? "";
  const way = `${(error as { readonly code?: unknown }).code ?? ""} ${message}`;
  return new QueryError(clause(), { cause: error });

  function clause(): string {
    if (code === 401 || CREDENTIALS.test(message)) {
      return `Google did not take the dashboard's credentials (${firstSentence(message)}); it has them from its service account`;
    }
    if (code === 0 && UNREACHED.test(way)) return `Google was not reached (${UNREACHED.exec(way)?.[0]}, ${permission})`;
    if (DISABLED.test(message) || said === "accessNotConfigured") {
      return `an API that it needs is not enabled in project ${place.project}: ${firstSentence(message)}`;
    }
    if (/quotaExceeded/.test(said)) return `a quota of project ${place.project} is used up: ${firstSentence(message)}`;
    if (code === 429 || code >= 500 || /RateLimitExceeded|backendError/i.test(said)) {
      return `Google takes no more requests for the moment (${said || code}, ${permission}); try again in a minute`;
    }
    // Of what lies in the bucket, that it is not there is no error.
    if (code === 404 && permission.startsWith("storage.")) return "the lake's bucket is not there; pulumi up makes it";
    if (code === 404) return missing(message, place);
    if (code === 403) return denied(message, permission);
    if (said === "stopped") return "it was cancelled";
    if (said === "timeout") return "it took too long and was stopped";
    return firstSentence(message);
  }
}

/** What BigQuery would have billed for a query that it refused because that is more than it was allowed. */
export function overLimit(error: unknown): number | undefined {
  const message = (error as Error | undefined)?.message ?? "";
  const [, needed] = /limit for bytes billed: \d+\. (\d+) or higher required/i.exec(message) ?? [];
  return needed === undefined ? undefined : Number(needed);
}

/** A query is of tables that were loaded, or of files that were listed: what is missing was there. */
function missing(message: string, { dataset, location }: BigQueryScope): string {
  const table = /Not found: Table (?:[^\s:]+:)?(?:\w+\.)?(\w+)/i.exec(message)?.[1];
  if (table) {
    return `the dataset's tables have expired: "${dataset}" has no table "${table}" any more; pulumi up --refresh makes it anew`;
  }
  if (/Not found: Dataset/i.test(message)) {
    return `there is no dataset "${dataset}" in location ${location}; pulumi up makes it`;
  }
  if (/Not found: (?:URI|Files?)|matched no files/i.test(message)) return "its files are no longer in the lake";
  return firstSentence(message);
}

/** What Google says of the permission is more exact than what the call is for: a query reads tables and files too. */
function denied(message: string, permission: string): string {
  const named = PERMISSION.exec(message)?.[0];
  const lacks = named ?? (/permission to query table/i.test(message) ? "bigquery.tables.getData" : permission);
  return `access was denied: the dashboard's service account lacks ${lacks}`;
}
