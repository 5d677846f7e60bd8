import { GoogleApi, GoogleError, googleError, type Request } from "../../assets/google/api.ts";
import { UsageError } from "../../components/core/errors.ts";
import { PassingError } from "../../components/core/passing.ts";
import { type Check, checked } from "../check.ts";

const LOG_IN = '"gcloud auth application-default login"';

const NO_CREDENTIALS = /could not load the default credentials|unable to read the credential|no refresh token/i;
const EXPIRED = /invalid_grant|invalid_rapt|reauth|expired or revoked|token has been/i;
const OFF = /has not been used in project|it is disabled|API \[?[\w.]+\]? (is )?not enabled/i;
const NO_BILLING = /billing (account|to be enabled)|requires billing/i;
const TOO_OFTEN = /rate ?limit|quota exceeded for quota metric|too many requests/i;
const NETWORK = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE)\b/;

/** The error as a user is told it; errors that mean something to the caller stay as they are. */
export function explain(error: unknown): Error {
  if (error instanceof UsageError || error instanceof PassingError) return error;
  const told = googleError(error);
  const { code, status } = told;
  const message = firstLine(told);
  if (EXPIRED.test(message)) {
    return new UsageError(
      `the Google credentials have expired: renew them by ${LOG_IN} and give the command again; what runs on Google Cloud goes on meanwhile`,
    );
  }
  if (NO_CREDENTIALS.test(message)) {
    return new UsageError(
      `there are no Google credentials: log in by ${LOG_IN}, or set GOOGLE_APPLICATION_CREDENTIALS (${message})`,
    );
  }
  if (code === 401) {
    return new UsageError(`Google doesn't take the credentials: log in again by ${LOG_IN} (${message})`);
  }
  if (code === 429 || (code === 403 && TOO_OFTEN.test(message))) {
    return new PassingError(`Google is asked too often just now (${message})`);
  }
  if (code === 403 && NO_BILLING.test(message)) {
    return new UsageError(
      `the project has no billing: link an account by "gcloud billing projects link PROJECT --billing-account ID" (${message})`,
    );
  }
  if (isOff(told)) return new ServiceOff(told);
  if (code === 403) {
    return new UsageError(
      `Google doesn't allow it: ${message}; ask for the permission, or log in as somebody else by ${LOG_IN}`,
    );
  }
  if (code >= 500) return new PassingError(`Google has a problem of its own (${status || code})`);
  if (code === 0 && isNetwork(told))
    return new PassingError(`Google can't be reached (${NETWORK.exec(text(told))?.[0]})`);
  return told;
}

/** An API that the project has not switched on: there is nothing of it. */
export class ServiceOff extends UsageError {
  constructor(error: GoogleError) {
    const service = /([a-z]+)\.googleapis\.com/.exec(text(error))?.[1];
    const enable = `gcloud services enable ${service ?? "SERVICE"}.googleapis.com`;
    super(`an API of the project is not enabled: "${enable}" does it (${firstLine(error)})`);
  }
}

const isOff = (error: GoogleError): boolean =>
  error.code === 403 && (OFF.test(error.message) || text(error).includes("SERVICE_DISABLED"));

/** With what it came from: the reason may be told there alone. */
function text({ message, cause }: GoogleError): string {
  const { code, response, error } = (cause ?? {}) as {
    readonly code?: unknown;
    readonly response?: { readonly data?: unknown };
    readonly error?: { readonly message?: string };
  };
  return [message, code, error?.message, JSON.stringify(response?.data ?? "")].join(" ");
}

const isNetwork = (error: GoogleError): boolean => NETWORK.test(text(error));

const firstLine = ({ message }: Error): string => (message.split("\n")[0] as string).trim();

/** A check that Google refuses for whatever reason is one that is missing: the others are still made. */
export const checkedByGoogle = (name: string, check: () => Promise<Check>): Promise<Check> =>
  checked(name, () =>
    check().catch((error) => {
      throw error instanceof GoogleError
        ? new UsageError(`Google says ${error.status || error.code}: ${firstLine(error)}`)
        : error;
    }),
  );

/** What came by a client library is told like what was asked here. */
export async function telling<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw explain(error);
  }
}

/** Google's REST interfaces, failing with what a user can do about it, where there is something. */
export class Google extends GoogleApi {
  override request<T>(service: string, path: string, request?: Request): Promise<T> {
    return telling(super.request<T>(service, path, request));
  }

  /** The same as `list`, and nothing of an API that is not enabled. */
  async listIfOn<T>(service: string, path: string, field: string, request?: Request): Promise<readonly T[]> {
    try {
      return await this.list<T>(service, path, field, request);
    } catch (error) {
      if (error instanceof ServiceOff) return [];
      throw error;
    }
  }
}

export { GoogleError };
