import { LoginError, TransientError, UsageError } from "../../core/errors.ts";

/** What every client of the AWS SDK has, as far as errors go. */
interface Client {
  readonly middlewareStack: {
    add(
      middleware: (next: (args: never) => Promise<never>) => (args: never) => Promise<never>,
      options: { readonly step: "initialize"; readonly name: string; readonly priority: "high" },
    ): void;
  };
}

/** Has a client of the AWS SDK fail with what a user can do about it, where there is something. */
export function connect<C>(client: C): C {
  (client as Client).middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        throw explain(error as Error);
      }
    },
    { step: "initialize", name: "explain", priority: "high" },
  );
  return client;
}

const EXPIRED = /^(ExpiredToken|ExpiredTokenException|RequestExpired|TokenRefreshRequired|UnauthorizedSSOTokenError)$/;
const UNKNOWN =
  /^(UnrecognizedClientException|InvalidClientTokenId|InvalidAccessKeyId|SignatureDoesNotMatch|AuthFailure)$/;
const DENIED = /^(AccessDenied|AccessDeniedException|UnauthorizedOperation|Forbidden|AuthorizationError)$/;
const THROTTLED =
  /^(Throttling|ThrottlingException|ThrottledException|TooManyRequestsException|RequestLimitExceeded|SlowDown|RequestThrottled|PriorRequestNotComplete)$/;
const NETWORK =
  /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ETIMEDOUT|EPIPE|TimeoutError|NetworkingError|RequestTimeout)$/;

/** The error as a user is told it; errors that mean something to the caller stay as they are. */
export function explain(error: Error): Error {
  const { name } = error;
  const code = (error as { readonly code?: unknown }).code;
  const status =
    (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
  if (EXPIRED.test(name) || (name === "CredentialsProviderError" && /expired/i.test(error.message))) {
    return new LoginError(
      'the AWS credentials have expired: renew them (such as by "aws sso login") and give the command again; what runs on AWS goes on meanwhile',
    );
  }
  if (name === "CredentialsProviderError") {
    return new LoginError(
      `there are no AWS credentials: log in (such as by "aws sso login"), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (${firstLine(error)})`,
    );
  }
  if (UNKNOWN.test(name)) {
    return new LoginError(
      `AWS doesn't take the credentials: log in again, or choose another AWS_PROFILE (${firstLine(error)})`,
    );
  }
  if (DENIED.test(name)) {
    return new UsageError(
      `AWS doesn't allow it: ${firstLine(error)}; ask for the permission, or choose another AWS_PROFILE`,
    );
  }
  if (THROTTLED.test(name)) return new TransientError(`AWS is asked too often just now (${name})`);
  if (NETWORK.test(name) || NETWORK.test(String(code)))
    return new TransientError(`AWS can't be reached (${code ?? name})`);
  if (status >= 500) return new TransientError(`AWS has a problem of its own (${name})`);
  return error;
}

/** An error that came by another way than a request, such as while a log was read, is told like the others. */
export async function explainErrors<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw explain(error as Error);
  }
}

const firstLine = (error: Error): string => error.message.split("\n")[0] as string;

/** Whether AWS said that there is no such thing. Every service has a name of its own for it. */
export const isMissing = (error: unknown): boolean =>
  !(error instanceof UsageError || error instanceof TransientError) &&
  (/NotFound|NoSuch|DoesNotExist/.test((error as Error).name) ||
    /is not valid|does not exist|not found/i.test((error as Error).message));

/** The value, or undefined when AWS said that there is no such thing. */
export async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** All items of a list that comes in pages. */
export async function paginate<T>(
  page: (token: string | undefined) => Promise<readonly [items: readonly T[] | undefined, token: string | undefined]>,
): Promise<readonly T[]> {
  const all: T[] = [];
  let token: string | undefined;
  do {
    const [items, next] = await page(token);
    all.push(...(items ?? []));
    token = next || undefined;
  } while (token !== undefined);
  return all;
}
