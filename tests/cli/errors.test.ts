import { expect, test } from "vitest";
import { explain, isMissing, orUndefined, paginate } from "../../cli/aws/client.ts";
import { explain as explainGoogle } from "../../cli/gcp/client.ts";
import { checkPageUrl } from "../../cli/outputs.ts";
import { GoogleError } from "../../clients/google.ts";
import { UsageError } from "../../core/errors.ts";

const named = (name: string, message = name, more: object = {}) => Object.assign(new Error(message), { name }, more);

test.each([
  [named("ExpiredToken"), "UsageError", "the AWS credentials have expired"],
  [named("CredentialsProviderError", "The SSO session has expired"), "UsageError", "the AWS credentials have expired"],
  [
    named("CredentialsProviderError", "Could not load credentials from any providers"),
    "UsageError",
    'there are no AWS credentials: log in (such as by "aws sso login"), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (Could not load credentials from any providers)',
  ],
  [named("InvalidClientTokenId", "It is invalid"), "UsageError", "AWS doesn't take the credentials: log in again"],
  [
    named("UnauthorizedOperation", "You may not"),
    "UsageError",
    "AWS doesn't allow it: You may not; ask for the permission",
  ],
  [named("RequestLimitExceeded"), "TransientError", "AWS is asked too often just now (RequestLimitExceeded)"],
  [named("Error", "getaddrinfo", { code: "ENOTFOUND" }), "TransientError", "AWS can't be reached (ENOTFOUND)"],
  [named("TimeoutError"), "TransientError", "AWS can't be reached (TimeoutError)"],
  [
    named("InternalFailure", "oops", { $metadata: { httpStatusCode: 500 } }),
    "TransientError",
    "AWS has a problem of its own (InternalFailure)",
  ],
  [named("ValidationException", "No"), "ValidationException", "No"],
])("an error of AWS is told with its cure, or passes on as it is (%#)", (error, name, message) => {
  const told = explain(error);
  expect(told.name).toBe(name);
  expect(told.message).toContain(message);
});

const google = (code: number, message: string, status = "") => new GoogleError(message, code, status, undefined);

test.each([
  [
    new Error("Could not load the default credentials. Browse to https://x"),
    "UsageError",
    'there are no Google credentials: log in by "gcloud auth application-default login"',
  ],
  [
    new Error("Unable to read the credential file specified by GOOGLE_APPLICATION_CREDENTIALS"),
    "UsageError",
    "there are no Google credentials",
  ],
  [google(400, "invalid_grant"), "UsageError", "the Google credentials have expired"],
  [google(401, "Request had invalid credentials"), "UsageError", "Google doesn't take the credentials"],
  [
    google(403, "Permission 'x' denied"),
    "UsageError",
    "Google doesn't allow it: Permission 'x' denied; ask for the permission",
  ],
  [
    google(
      403,
      "Cloud Run Admin API has not been used in project 7 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/run.googleapis.com/overview",
    ),
    "UsageError",
    'an API of the project is not enabled: "gcloud services enable run.googleapis.com --project 7" does it',
  ],
  [google(403, "This API method requires billing to be enabled"), "UsageError", "the project has no billing"],
  [google(403, "Quota exceeded for quota metric 'Reads'"), "TransientError", "Google is asked too often just now"],
  [google(429, "Too many"), "TransientError", "Google is asked too often just now"],
  [google(503, "oops", "UNAVAILABLE"), "TransientError", "Google has a problem of its own (UNAVAILABLE)"],
  [
    new Error("request to https://x failed, reason: getaddrinfo ENOTFOUND x"),
    "TransientError",
    "Google can't be reached (ENOTFOUND)",
  ],
  [google(404, "Not found: c", "NOT_FOUND"), "GoogleError", "Not found: c"],
])("an error of Google is told with its cure, or passes on as it is (%#)", (error, name, message) => {
  const told = explainGoogle(error);
  expect(told.name).toBe(name);
  expect(told.message).toContain(message);
});

test("what is no page of the web is opened in no browser", () => {
  expect(checkPageUrl("mine", "dashboard", "http://127.0.0.1:8765")).toBe("http://127.0.0.1:8765");
  for (const url of ["javascript:alert(1)", "file:///etc/passwd", "my page", ""])
    expect(() => checkPageUrl("mine", "dashboard", url)).toThrow(
      `is ${JSON.stringify(url)}: expected the address of a`,
    );
});

test("what is missing is told from what was refused", async () => {
  expect(isMissing(named("NoSuchKey"))).toBe(true);
  expect(isMissing(named("InvalidVolume.NotFound"))).toBe(true);
  expect(isMissing(named("InvalidRequestException", "Cluster id 'j-1' is not valid."))).toBe(true);
  expect(isMissing(new UsageError("the profile does not exist"))).toBe(false);
  expect(isMissing(named("ValidationException", "No"))).toBe(false);
  expect(await orUndefined(Promise.reject(named("NoSuchKey")))).toBeUndefined();
  await expect(orUndefined(Promise.reject(named("AccessDenied")))).rejects.toThrow("AccessDenied");
});

test("a list is read to its last page", async () => {
  const pages = [[1, 2], [3], undefined, [4]];
  const read = (token: string | undefined) => {
    const index = Number(token ?? 0);
    return Promise.resolve([pages[index], index < 3 ? String(index + 1) : ""] as const);
  };
  expect(await paginate(read)).toEqual([1, 2, 3, 4]);
});
