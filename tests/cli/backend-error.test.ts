/** Backends that Pulumi can't use: what it says, as we say it. */
import { afterEach, expect, test, vi } from "vitest";
import { backendProblem } from "../../cli/backend-error.ts";

afterEach(() => void vi.unstubAllEnvs());

const LOCK =
  "file:///x/.pulumi/locks/organization/oneoff/local/1.json: created by me@here (pid 7) at 2026-11-30T10:00:00Z";
const CURE = '"npx pulumi login", or PULUMI_BACKEND_URL, says where it is, and it has to be there and yours to write';

test.each([
  [
    "s3://mine",
    `error: could not create stack: the stack is currently locked by 1 lock(s). Either wait.\n  ${LOCK}\n`,
    4,
    "the stack is locked by me@here (pid 7) since 2026-11-30T10:00:00Z, at work on it: wait for its end, or where it was killed: npx pulumi cancel --stack local",
  ],
  [
    "https://api.pulumi.com",
    "error: [409] Conflict: Another update is currently in progress.",
    4,
    "the stack is locked by somebody, at work on it: wait for its end, or where it was killed: npx pulumi cancel --stack local",
  ],
  [
    "s3://mine",
    'SDK 2026/11/30 14:41:07 WARN falling back to IMDSv1\nerror: read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): get credentials: no role found',
    3,
    `the Pulumi backend s3://mine can't be used: read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): get credentials: no role found; ${CURE}`,
  ],
  [
    "postgres://me:hidden@there/state",
    "error: unable to open bucket: no such host",
    4,
    `the Pulumi backend postgres://there/state can't be used: unable to open bucket: no such host; ${CURE}`,
  ],
  [
    "rubbish",
    "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
    3,
    'you are not logged in to the Pulumi backend rubbish: log in with "pulumi login", or set PULUMI_ACCESS_TOKEN',
  ],
])("%s: %s", (backend, stderr, exit, message) => {
  vi.stubEnv("PULUMI_BACKEND_URL", backend);
  expect(backendProblem(stderr, "local")).toMatchObject({ message, exit });
});

test("what is about something else is told elsewhere", () => {
  expect(backendProblem("error: resource bucket failed", "local")).toBeUndefined();
});
