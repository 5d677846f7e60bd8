import { expect, test } from "vitest";
import { engine, fake, ONE, record, SQL, started, values } from "./athena-toy.ts";
import type { Plan } from "./fake-athena.ts";

const large = (rows: number): Plan => ({
  columns: { id: "bigint" },
  rows: Array.from({ length: rows }, (_, i) => [String(i)]),
});

const DENIED =
  "User: arn:aws:sts::123456789012:assumed-role/oneoff/i-1 is not authorized to perform: athena:GetQueryResults on resource: arn:aws:athena:us-west-2:123456789012:workgroup/wg because no identity-based policy allows it";

test.each<[string, Plan, RegExp]>([
  [
    "limit",
    { state: "CANCELLED", reason: "Bytes scanned limit was exceeded" },
    /^it would scan more bytes than the workgroup "wg" allows for one query; read fewer columns or rows, or raise the limit$/,
  ],
  [
    "no table",
    { state: "FAILED", reason: "TABLE_NOT_FOUND: line 1:34: Table 'awsdatacatalog.db.readings' does not exist" },
    /^there is no table "readings" in the database "db" yet; pulumi up makes it$/,
  ],
  [
    "no database",
    { state: "FAILED", reason: "SCHEMA_NOT_FOUND: line 1:34: Schema 'db' does not exist" },
    /^there is no database "db"; pulumi up makes it$/,
  ],
  [
    "no right to the catalog",
    { state: "FAILED", reason: DENIED.replace("athena:GetQueryResults", "glue:GetTable") },
    /^access was denied: the dashboard's role lacks glue:GetTable$/,
  ],
  [
    "no right to the files",
    { state: "FAILED", reason: "PERMISSION_DENIED: Access Denied (Service: S3, Status Code: 403)" },
    /^access was denied: the dashboard's role lacks s3:GetObject$/,
  ],
  [
    "no right to the results",
    { state: "FAILED", reason: "Access denied when writing output to url: s3://lake/_results/x.csv ." },
    /^access was denied: the dashboard's role lacks s3:PutObject$/,
  ],
  [
    "throttled by S3",
    { state: "FAILED", reason: "HIVE_CURSOR_ERROR: Please reduce your request rate. (Status Code: 503)" },
    /^AWS takes no more requests for the moment \(throttled, by what it reads\); try again in a minute$/,
  ],
  [
    "a bad query",
    {
      state: "FAILED",
      reason:
        "COLUMN_NOT_FOUND: line 1:8: Column 'nonsense' cannot be resolved or requester is not authorized to access requested resources. If a data manifest file was generated, it is at s3://x. Another.",
    },
    /^COLUMN_NOT_FOUND: Column 'nonsense' cannot be resolved or requester is not authorized to access requested resources$/,
  ],
  [
    "cancelled elsewhere",
    { state: "CANCELLED", reason: "Query cancelled by user" },
    /^it was cancelled: Query cancelled by user$/,
  ],
  ["no reason", { state: "FAILED" }, /^Athena does not say why$/],
])("a query that ends with %s says so", async (_, plan, message) => {
  fake.plan = () => plan;
  const error = await engine.query(SQL, "r1").catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ name: "QueryError", message: expect.stringMatching(message) });
  expect((error as Error).cause).toMatchObject({ message: plan.reason ?? "FAILED" });
  expect(fake.called("StopQueryExecution")).toHaveLength(0);
});

test.each<[string, string, { name: string; message?: string; status?: number }, RegExp]>([
  [
    "no right to start",
    "StartQueryExecution",
    { name: "AccessDeniedException", message: DENIED.replace("GetQueryResults", "StartQueryExecution") },
    /^access was denied: the dashboard's role lacks athena:StartQueryExecution$/,
  ],
  [
    "no right to results",
    "GetQueryResults",
    { name: "AccessDeniedException", message: DENIED },
    /lacks athena:GetQueryResults$/,
  ],
  [
    "no right, no word of which",
    "GetQueryExecution",
    { name: "AccessDeniedException", message: "no" },
    /lacks athena:GetQueryExecution$/,
  ],
  [
    "no workgroup",
    "StartQueryExecution",
    { name: "InvalidRequestException", message: "WorkGroup wg is not found." },
    /^there is no workgroup "wg"; pulumi up makes it$/,
  ],
  [
    "a disabled workgroup",
    "StartQueryExecution",
    { name: "InvalidRequestException", message: "WorkGroup wg is disabled." },
    /^the workgroup "wg" is disabled$/,
  ],
  [
    "old credentials",
    "StartQueryExecution",
    { name: "ExpiredTokenException", message: "The security token is expired", status: 403 },
    /^AWS did not take the dashboard's credentials \(ExpiredTokenException\)/,
  ],
  [
    "something else",
    "StartQueryExecution",
    { name: "InvalidRequestException", message: "line 1:8: Queries of this type are not supported. See there." },
    /^Queries of this type are not supported$/,
  ],
])("%s is told as such", async (_, operation, refusal, message) => {
  fake.plan = () => ONE;
  fake.refuse(operation, refusal);
  await expect(engine.query(SQL, "r1")).rejects.toThrow(message);
  await expect(engine.query(SQL, "r1")).rejects.toMatchObject({ name: "QueryError" });
  // A query that was begun and cannot be followed is not left to run.
  expect(fake.called("StopQueryExecution")).toHaveLength(operation === "GetQueryExecution" ? 2 : 0);
});

test("no right to the result's file is told as such", async () => {
  fake.plan = () => large(2000);
  fake.refuse("GetObject", { name: "AccessDenied", message: "Access Denied" });
  await expect(engine.query(SQL, "r1")).rejects.toThrow(/lacks s3:GetObject$/);
});

test("no right to the lake is told as such, and so is that there is none", async () => {
  fake.refuse("ListObjectsV2", {
    name: "AccessDenied",
    message: DENIED.replace("athena:GetQueryResults", "s3:ListBucket"),
  });
  await expect(engine.runs()).rejects.toThrow(/lacks s3:ListBucket$/);
  await expect(engine.versions("r1")).rejects.toMatchObject({ name: "QueryError" });
  fake.refuse("ListObjectsV2", { name: "NoSuchBucket", status: 404 });
  await expect(engine.runs()).rejects.toThrow("the lake's bucket is not there; pulumi up makes it");
});

test("when AWS is not reached it says so", async () => {
  record("r1");
  await engine.runs();
  fake.close();
  await expect(engine.query(SQL, "r1")).rejects.toThrow(
    /^AWS was not reached \(ECONNREFUSED, athena:StartQueryExecution\)$/,
  );
});

test("what is throttled is tried again, and given up in the end", { timeout: 60_000 }, async () => {
  fake.plan = () => ONE;
  fake.refuse("StartQueryExecution", { name: "ThrottlingException", message: "Rate exceeded", times: 2 });
  expect(values(await engine.query(SQL, "r1"))).toEqual({ n: [1] });
  expect(fake.called("StartQueryExecution")).toHaveLength(3);
  // One and the same query, however often it is asked for.
  expect(new Set(started().map(({ ClientRequestToken }) => ClientRequestToken)).size).toBe(1);
  fake.refuse("StartQueryExecution", { name: "TooManyRequestsException", message: "too many" });
  await expect(engine.query(SQL, "r1")).rejects.toThrow(
    /^AWS takes no more requests for the moment \(throttled, athena:StartQueryExecution\); try again in a minute$/,
  );
  expect(fake.called("StartQueryExecution")).toHaveLength(8);
});
