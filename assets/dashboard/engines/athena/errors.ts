import { QueryError } from "../../engine.ts";
import { firstSentence } from "../../results.ts";

/** What an error is told in terms of. */
export interface AthenaScope {
  readonly database: string;
  readonly workgroup: string;
}

const CREDENTIALS =
  /Expired|InvalidSignature|SignatureDoesNotMatch|UnrecognizedClient|InvalidAccessKeyId|InvalidClientTokenId|CredentialsProvider/;
const THROTTLED = /Throttl|TooManyRequests|SlowDown|RequestLimitExceeded|reduce your request rate|rate exceeded/i;
const DENIED = /AccessDenied|Access Denied|not authorized to perform|Insufficient permissions|Permission denied/i;
const UNREACHED = /ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ETIMEDOUT|TimeoutError/;

/** A call that AWS refused, or that did not get there. `action` is what the call needs, as IAM names it. */
export function refused(error: unknown, action: string, { workgroup }: AthenaScope): QueryError {
  if (error instanceof QueryError) return error;
  const { name, message, code } = error as Error & { readonly code?: string };
  return new QueryError(clause(), { cause: error });

  function clause(): string {
    const kind = `${name} ${code ?? ""}`;
    if (CREDENTIALS.test(kind))
      return `AWS did not take the dashboard's credentials (${name}); it has them from its role`;
    if (THROTTLED.test(kind) || THROTTLED.test(message)) return throttled(action);
    if (DENIED.test(kind) || DENIED.test(message)) return denied(message, action);
    if (UNREACHED.test(kind)) return `AWS was not reached (${code ?? name}, ${action})`;
    if (/workgroup/i.test(message) && /not found|not exist/i.test(message)) {
      return `there is no workgroup "${workgroup}"; pulumi up makes it`;
    }
    if (/workgroup/i.test(message) && /disabled/i.test(message)) return `the workgroup "${workgroup}" is disabled`;
    if (name === "NoSuchBucket") return "the lake's bucket is not there; pulumi up makes it";
    return withoutPlace(message);
  }
}

/** A query that Athena ended without a result. `reason` is what it says of why. */
export function queryFailed(reason: string, state: string, { database, workgroup }: AthenaScope): QueryError {
  return new QueryError(clause(), { cause: new Error(reason || state) });

  function clause(): string {
    if (/bytes scanned limit/i.test(reason)) {
      return `it would scan more bytes than the workgroup "${workgroup}" allows for one query; read fewer columns or rows, or raise the limit`;
    }
    const table = /Table '?(?:[\w-]+\.)*(\w+)'? (?:does not exist|not found)/i.exec(reason)?.[1];
    if (table) return `there is no table "${table}" in the database "${database}" yet; pulumi up makes it`;
    if (/(?:Schema|Database) \S+ (?:does not exist|not found)|SCHEMA_NOT_FOUND/i.test(reason)) {
      return `there is no database "${database}"; pulumi up makes it`;
    }
    if (DENIED.test(reason)) return denied(reason, /writ|output/i.test(reason) ? "s3:PutObject" : "s3:GetObject");
    if (THROTTLED.test(reason)) return throttled("by what it reads");
    if (state === "CANCELLED") return reason ? `it was cancelled: ${withoutPlace(reason)}` : "it was cancelled";
    return reason ? withoutPlace(reason) : "Athena does not say why";
  }
}

const throttled = (what: string) =>
  `AWS takes no more requests for the moment (throttled, ${what}); try again in a minute`;

/** What AWS says of the action is more exact than what the call is for: a query reads tables and files too. */
function denied(message: string, action: string): string {
  const named = /not authorized to perform:? ([\w-]+:\w+)/i.exec(message)?.[1];
  return `access was denied: the dashboard's role lacks ${named ?? action}`;
}

/** Without the place in the SQL, which is no use to a reader of the page. */
const withoutPlace = (text: string): string => firstSentence(text.replace(/\bline \d+:\d+: /, ""));
