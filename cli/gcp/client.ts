import { GoogleApi, GoogleError, googleError, type Request } from "../../clients/google.ts";
import { LoginError, TransientError, UsageError } from "../../core/errors.ts";
import { type Check, runCheck } from "../check.ts";

const LOG_IN = '"gcloud auth application-default login"';

const NO_CREDENTIALS = /could not load the default credentials|unable to read the credential|no refresh token/i;
const EXPIRED = /invalid_grant|invalid_rapt|reauth|expired or revoked|token has been/i;
const OFF = /has not been used in project|it is disabled|API \[?[\w.]+\]? (is )?not enabled/i;
const NO_BILLING = /billing (account|to be enabled)|requires billing/i;
const TOO_OFTEN = /rate ?limit|quota exceeded for quota metric|too many requests/i;
/** Of who logged in by gcloud and has no project that requests are counted to. */
const NO_QUOTA_PROJECT = /requires a quota project/i;
/** Projects of gcloud's own, which such requests are counted to. */
const OF_GCLOUD: ReadonlySet<string> = new Set(["764086051850", "32555940559"]);
const NETWORK = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE)\b/;

/**
 * The error as a user is told it; errors that mean something to the caller stay as they are.
 * @param project that was asked about, for the cure.
 */
export function explain(error: unknown, project?: string): Error {
  if (error instanceof UsageError || error instanceof TransientError) return error;
  const told = googleError(error);
  const { code, status } = told;
  const message = firstLine(told);
  if (EXPIRED.test(message)) {
    return new LoginError(
      `the Google credentials have expired: renew them by ${LOG_IN} and give the command again; what runs on Google Cloud goes on meanwhile`,
    );
  }
  if (NO_CREDENTIALS.test(message)) {
    return new LoginError(
      `there are no Google credentials: log in by ${LOG_IN}, or set GOOGLE_APPLICATION_CREDENTIALS (${message})`,
    );
  }
  if (code === 401) {
    return new LoginError(`Google doesn't take the credentials: log in again by ${LOG_IN} (${message})`);
  }
  if (code === 429 || (code === 403 && TOO_OFTEN.test(message))) {
    return new TransientError(`Google is asked too often just now (${message})`);
  }
  if (code === 403 && NO_BILLING.test(message)) {
    return new UsageError(
      `the project has no billing: link an account by "gcloud billing projects link PROJECT --billing-account ID" (${message})`,
    );
  }
  if (code === 403 && (NO_QUOTA_PROJECT.test(message) || OF_GCLOUD.has(consumerOf(told) ?? ""))) {
    return new UsageError(
      `the Google credentials have no quota project: ${setQuotaProject(project)} gives them one (${message})`,
    );
  }
  if (isOff(told)) return new ServiceOff(told, project);
  if (code === 403) {
    return new UsageError(
      `Google doesn't allow it: ${message}; ask for the permission, or log in as somebody else by ${LOG_IN}`,
    );
  }
  if (code >= 500) return new TransientError(`Google has a problem of its own (${status || code})`);
  if (code === 0 && isNetwork(told))
    return new TransientError(`Google can't be reached (${NETWORK.exec(text(told))?.[0]})`);
  return told;
}

const setQuotaProject = (project = "PROJECT"): string =>
  `"gcloud auth application-default set-quota-project ${project}"`;

/** An API that the project has not switched on: there is nothing of it. */
export class ServiceOff extends UsageError {
  /** The project that the API is off in, by its number or id, where Google says which. */
  readonly consumer: string | undefined;
  /** What switches it on in a project. */
  readonly #enable: (project: string) => string;
  readonly #told: string;

  constructor(error: GoogleError, project?: string) {
    const service = serviceOf(error) ?? "SERVICE";
    const consumer = consumerOf(error);
    const enable = (project: string) => `"gcloud services enable ${service}.googleapis.com --project ${project}"`;
    const told = firstLine(error);
    super(`an API of the project is not enabled: ${enable(project ?? consumer ?? "PROJECT")} does it (${told})`);
    this.consumer = consumer;
    this.#enable = enable;
    this.#told = told;
  }

  /** The same where it is off in a project that the credentials count to: that tells nothing of the stack's own. */
  elsewhere(project: string): UsageError {
    const consumer = this.consumer as string;
    return new UsageError(
      `Google counts the requests to project ${consumer}, not to ${project}: ${setQuotaProject(project)} changes that; with a service account's credentials, ${this.#enable(consumer)} lets it ask (${this.#told})`,
    );
  }
}

const serviceOf = (error: GoogleError): string | undefined =>
  (/"service":"([a-z]+)\.googleapis\.com/.exec(text(error)) ?? /([a-z]+)\.googleapis\.com/.exec(error.message))?.[1];

const consumerOf = (error: GoogleError): string | undefined =>
  (/"consumer":"projects\/([^"]+)"/.exec(text(error)) ?? /in project ([\w:.-]+?)\.? /.exec(error.message))?.[1];

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
  runCheck(name, () =>
    check().catch((error) => {
      throw error instanceof GoogleError
        ? new UsageError(`Google says ${error.status || error.code}: ${firstLine(error)}`)
        : error;
    }),
  );

/** The same, and none where the API that it asks is off: the check of the APIs says so. */
export async function checkedIfOn(name: string, check: () => Promise<Check>): Promise<readonly Check[]> {
  let isOff = false;
  const made = await checkedByGoogle(name, () =>
    check().catch((error) => {
      isOff = error instanceof ServiceOff;
      throw error;
    }),
  );
  return isOff ? [] : [made];
}

/** What came by a client library is told like what was asked here. @param project as {@link explain} takes it. */
export async function explainErrors<T>(asked: Promise<T>, project?: string): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw explain(error, project);
  }
}

/** Google's REST interfaces, failing with what a user can do about it, where there is something. */
export class Google extends GoogleApi {
  readonly #project: string | undefined;
  #number: Promise<string | undefined> | undefined;

  /** @param project that is asked about. @default errors don't name it */
  constructor(project?: string) {
    super();
    this.#project = project;
  }

  override request<T>(service: string, path: string, request?: Request): Promise<T> {
    return this.telling(super.request<T>(service, path, request));
  }

  /** What came by a client library is told like what was asked by {@link request}. */
  async telling<T>(asked: Promise<T>): Promise<T> {
    try {
      return await explainErrors(asked, this.#project);
    } catch (error) {
      if (!(error instanceof ServiceOff) || this.#project === undefined) throw error;
      throw (await this.#isAnother(error.consumer)) ? error.elsewhere(this.#project) : error;
    }
  }

  /** Google names a project by its number or its id. What can't be told is taken for the project itself. */
  async #isAnother(consumer: string | undefined): Promise<boolean> {
    if (consumer === undefined || consumer === this.#project) return false;
    if (!/^\d+$/.test(consumer)) return true;
    this.#number ??= super
      .request<{ readonly name?: string }>("cloudresourcemanager", `v3/projects/${this.#project}`)
      .then(({ name }) => name?.replace("projects/", ""))
      .catch(() => undefined);
    const number = await this.#number;
    return number !== undefined && number !== consumer;
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
