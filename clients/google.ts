/** Google's APIs by their client libraries: credentials, addresses and errors, the same for all that call them. */
import { BigQuery } from "@google-cloud/bigquery";
import { Storage } from "@google-cloud/storage";
import { type AuthClient, GoogleAuth, PassThroughClient } from "google-auth-library";

const SCOPES = ["https://www.googleapis.com/auth/cloud-platform"];

/** Tried again, ever more slowly: https://cloud.google.com/apis/design/errors#error_retries */
const TRANSIENT = [408, 429, 500, 502, 503, 504];

/** Google refused a request, or could not be reached. */
export class GoogleError extends Error {
  override readonly name = "GoogleError";
  /** HTTP status; 0 when there was no answer. */
  readonly code: number;
  /** Google's word for it, such as "PERMISSION_DENIED"; empty when it gave none. */
  readonly status: string;

  constructor(message: string, code: number, status: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
    this.status = status;
  }
}

/** Where a service is. The variables are those of gcloud, `CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAPROC`. */
export const endpointOf = (service: string): string => override(service) ?? `https://${service}.googleapis.com`;

const override = (service: string): string | undefined =>
  process.env[`CLOUDSDK_API_ENDPOINT_OVERRIDES_${service.toUpperCase()}`]?.replace(/\/+$/, "");

/** Credentials never go where they could be read on the way: a plain address, as of an emulator, is given none. */
const clientOptions = (service: string) => {
  const apiEndpoint = override(service);
  return { ...(apiEndpoint && { apiEndpoint }), ...(isPlain(service) && { authClient: new PassThroughClient() }) };
};

const isPlain = (service: string): boolean => endpointOf(service).startsWith("http:");

export const storageClient = (projectId?: string): Storage =>
  new Storage({ ...(projectId && { projectId }), ...clientOptions("storage") });

export const bigQueryClient = (projectId: string, location?: string): BigQuery =>
  new BigQuery({ projectId, scopes: SCOPES, ...(location && { location }), ...clientOptions("bigquery") });

export interface Request {
  /** @default "GET" */
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** Calls the REST interfaces of services that are not worth a client library of their own. */
export class GoogleApi {
  readonly #auth = new GoogleAuth({ scopes: SCOPES });
  readonly #plain = new PassThroughClient();

  /** The project of the credentials; undefined when they name none. */
  async project(): Promise<string | undefined> {
    return this.#auth.getProjectId().catch(() => undefined);
  }

  /**
   * @param service such as "dataproc".
   * @param path such as "v1/projects/p/regions/r/clusters".
   * @throws GoogleError
   */
  async request<T>(service: string, path: string, request: Request = {}): Promise<T> {
    const { method = "GET", query = {}, body, signal } = request;
    const url = new URL(`${endpointOf(service)}/${path}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, `${value}`);
    try {
      const client: Pick<AuthClient, "request"> = isPlain(service) ? this.#plain : this.#auth;
      const { data } = await client.request<T>({
        url: url.href,
        method,
        ...(body !== undefined && { data: body }),
        ...(signal && { signal }),
        retryConfig: {
          // What is safe to ask twice; who posts with a request id says so by trying again.
          httpMethodsToRetry: ["GET", "PUT", "DELETE"],
          statusCodesToRetry: TRANSIENT.map((code) => [code, code]),
          retry: 4,
          noResponseRetries: 3,
        },
      });
      return data;
    } catch (error) {
      throw googleError(error);
    }
  }

  /** All items of a list that comes in pages. */
  async list<T>(service: string, path: string, field: string, request: Request = {}): Promise<readonly T[]> {
    const items: T[] = [];
    let pageToken: string | undefined;
    do {
      const query = { ...request.query, pageToken };
      const page: Record<string, unknown> = await this.request(service, path, { ...request, query });
      items.push(...((page[field] as T[] | undefined) ?? []));
      pageToken = (page.nextPageToken as string | undefined) || undefined;
    } while (pageToken);
    return items;
  }

  /** The same, and undefined when there is no such thing. @throws GoogleError for anything else. */
  async orUndefined<T>(service: string, path: string, request: Request = {}): Promise<T | undefined> {
    try {
      return await this.request<T>(service, path, request);
    } catch (error) {
      if ((error as GoogleError).code === 404) return undefined;
      throw error;
    }
  }
}

interface Refused {
  readonly message: string;
  readonly code?: number | string;
  readonly status?: number;
  readonly response?: {
    readonly status?: number;
    readonly data?: { readonly error?: { readonly message?: string; readonly status?: string } | string };
  };
}

/** What any of the client libraries threw, in one form. */
export function googleError(error: unknown): GoogleError {
  if (error instanceof GoogleError) return error;
  const refused = error as Refused;
  const told = refused.response?.data?.error;
  const code = refused.response?.status ?? refused.status ?? Number(refused.code);
  const [message, status] = typeof told === "object" ? [told.message, told.status] : [told, undefined];
  return new GoogleError(message ?? refused.message, Number.isInteger(code) ? code : 0, status ?? "", error);
}
