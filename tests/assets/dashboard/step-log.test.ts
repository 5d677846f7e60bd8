/** Logs of steps, as the dashboard's server gives them. */
import { appendFile, mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Dashboard, serve } from "../../../assets/dashboard/server.ts";
import { FakeLake } from "./fake-lake.ts";
import { get } from "./http.ts";
import { toy } from "./toy.ts";

let lake: FakeLake;
let dashboard: Dashboard;

const ODD = "Zürich #1 100% <b>";

beforeAll(async () => {
  lake = await FakeLake.create();
  const steps = ["train", "grow", "empty", "none", "gone", "linked", ODD, "../../secret", "deep/train", "..", ""];
  await lake.record({ run: "r1", job: "toy", steps: steps.map((name) => ({ name, state: "succeeded" })) });
  await lake.record({ run: "r2", job: "other", steps: [{ name: "train", state: "succeeded" }] });
  dashboard = await serve({
    job: toy,
    stack: "local",
    engine: { kind: "duckdb", lake: lake.path },
    port: 0,
    token: "t",
  });
});
afterAll(async () => {
  await dashboard.close();
  await lake.remove();
});

const file = (step: string, run = "r1") => join(lake.path, "_logs", run, `${step}.log`);
async function put(step: string, content: string | Uint8Array, run?: string): Promise<void> {
  await mkdir(dirname(file(step, run)), { recursive: true });
  await writeFile(file(step, run), content);
}
const path = (step: string, run = "r1") => `api/runs/${run}/logs/${encodeURIComponent(step)}`;
const url = (step: string) => `${dashboard.url}${path(step)}`;
const ranged = (step: string, range: string) => get(url(step), { range: `bytes=${range}` });

test("a range of a log is given, and told where it is", async () => {
  await put("train", "0123456789");
  const told = async (range: string) => {
    const { status, text, headers } = await ranged("train", range);
    return [status, text, headers["content-range"]];
  };
  expect(await told("-3")).toEqual([206, "789", "bytes 7-9/10"]);
  expect(await told("-99")).toEqual([206, "0123456789", "bytes 0-9/10"]);
  expect(await told("2-4")).toEqual([206, "234", "bytes 2-4/10"]);
  expect(await told("8-99")).toEqual([206, "89", "bytes 8-9/10"]);
  expect(await told("8-")).toEqual([206, "89", "bytes 8-9/10"]);
  for (const beyond of ["10-", "10-20", `${"9".repeat(30)}-`, "-0"]) {
    expect(await told(beyond), beyond).toEqual([
      416,
      expect.stringContaining('{"error":"The log has 10 bytes'),
      "bytes */10",
    ]);
  }
  // As the standard has it: what is no range of bytes is not looked at.
  for (const none of ["4-2", "-", "a-b", "0-1,3-4", "1"])
    expect(await told(none), none).toEqual([200, "0123456789", undefined]);
  const { headers } = await ranged("train", "-3");
  expect(headers).toMatchObject({
    "content-type": "text/plain; charset=utf-8",
    "content-length": "3",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": expect.stringContaining("default-src 'none'"),
  });
});

test("of a long log no more is given at once than a megabyte, and all of it to who wants all", async () => {
  const pieces = Array.from({ length: 5 }, (_, i) => Buffer.alloc(1024 * 1024, `${i}`));
  await put("train", Buffer.concat([...pieces, Buffer.from("end")]));
  const end = await ranged("train", "-999999999");
  expect([end.size, end.headers["content-range"]]).toEqual([1024 * 1024, "bytes 4194307-5242882/5242883"]);
  expect((await ranged("train", "0-")).size).toBe(1024 * 1024);
  const all = await get(url("train"));
  expect([all.status, all.size, all.headers["content-length"], all.text.slice(-4)]).toEqual([
    200,
    5242883,
    "5242883",
    "4end",
  ]);
  expect(await get(url("train"), {}, "HEAD")).toMatchObject({ status: 200, size: 0 });
});

test("bytes are given as they lie there, whatever they are", async () => {
  const odd = Buffer.from([0, 1, 27, 91, 51, 49, 109, 0xff, 0xfe, 0xc3, 10, 0xed, 0xa0, 0x80]);
  await put("train", odd);
  const answer = await fetch(url("train"));
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(odd);
  await put(ODD, "<script>");
  expect((await get(url(ODD))).text).toBe("<script>");
});

test("a step without a log, and one whose log is empty, are told apart", async () => {
  await put("empty", "");
  for (const headers of [{}, { range: "bytes=-5" }] as Record<string, string>[]) {
    expect(await get(url("none"), headers)).toMatchObject({ status: 204, text: "" });
    expect(await get(url("empty"), headers)).toMatchObject({ status: 200, text: "" });
  }
  expect((await get(url("requirements"))).status).toBe(204); // no step's, and a log that runs may have
});

test.each([
  [path("other"), 404, 'Run "r1" has no step "other".'],
  [path("train", "r3"), 404, 'There is no run "r3".'],
  [path("train", "r2"), 404, 'There is no run "r2".'], // of another job
  [path("train", ".."), 404, "There is nothing at this address."],
  [path("train", "%2e%2e%2fr1"), 400, /^run is "\.\.\/r1"/],
  [path("../../secret"), 400, /^step is "\.\.\/\.\.\/secret": expected a name/],
  [path("deep/train"), 400, /^step is "deep\/train"/],
  [path("_runs/r1.json"), 404, /^Run "r1" has no step/],
])("nothing else can be read: %s", async (asked, status, error) => {
  await put("secret", "secret", "../..");
  await put("deep/train", "secret");
  const answer = await get(`${dashboard.url}${asked}`);
  expect([answer.status, answer.json.error]).toEqual([
    status,
    typeof error === "string" ? error : expect.stringMatching(error),
  ]);
});

test("nothing is read by a link, nor by another site's page", async () => {
  await put("outside", "secret", "../..");
  await mkdir(dirname(file("linked")), { recursive: true });
  await symlink(file("outside", "../.."), file("linked"));
  const linked = await get(url("linked"));
  expect([linked.status, linked.json.error]).toEqual([400, expect.stringContaining("lies elsewhere by a link")]);
  await put("train", "text");
  expect((await get(url("train"), { "sec-fetch-site": "cross-site" })).status).toBe(403);
  expect((await get(url("train"), { host: "evil.example" })).status).toBe(403);
});

/** Asks for all of a log, and reads the first of it alone. */
function begin(step: string) {
  return new Promise<{ readonly rest: () => Promise<number> }>((resolve, reject) => {
    request(url(step), { agent: false }, (response) => {
      response.once("readable", () => {
        let size = 0;
        resolve({
          rest: () =>
            new Promise((done, failed) => {
              response.on("data", (piece) => {
                size += piece.length;
              });
              response.on("end", () => done(size)).on("error", failed);
            }),
        });
      });
    })
      .on("error", reject)
      .end();
  });
}

const MEGABYTE = Buffer.alloc(1024 * 1024, "x");

test("a log that grows while it is read has an end, one that is removed meanwhile has none", async () => {
  vi.spyOn(console, "error").mockReturnValue(); // the adapter tells of what it could not send
  const long = Buffer.concat(Array.from({ length: 30 }, () => MEGABYTE));
  await put("grow", long);
  const growing = await begin("grow");
  await appendFile(file("grow"), MEGABYTE);
  expect(await growing.rest()).toBe(long.length);
  await put("gone", long);
  const going = await begin("gone");
  await truncate(file("gone"), 3);
  await rm(file("gone"));
  await expect(going.rest()).rejects.toThrow(/aborted/);
  expect((await get(url("gone"))).status).toBe(204);
  vi.restoreAllMocks();
});

test("the page is told where logs lie, and of which stack", async () => {
  expect((await get(`${dashboard.url}api/job`)).json).toMatchObject({ lake: lake.path, stack: "local" });
});
