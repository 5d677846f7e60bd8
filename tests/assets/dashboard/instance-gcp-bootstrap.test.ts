/** The program on the dashboard's instance on Google Cloud, which keeps it at its release. */
// @module-tag go
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bundle } from "../../../components/common/bundle.ts";
import { Google, Instance, program } from "./gcp-instance.ts";

const [A, B, C] = ["a", "b", "c"].map((letter) => letter.repeat(16)) as [string, string, string];

describe("the program", { timeout: 300_000 }, () => {
  let google: Google;
  let instance: Instance;
  beforeAll(async () => {
    google = await Google.start();
  });
  beforeEach(async () => {
    google.reset();
    instance = await Instance.create(google);
  });
  afterEach(() => instance.remove());
  afterAll(() => google.close());

  test("starts the release that the lake names, and goes on to new ones", async () => {
    await instance.publish(A);
    instance.start();
    await instance.runs("a");
    await instance.says(`release ${A} runs`);
    expect(readFileSync(join(instance.home, A, "page/index.html"), "utf8")).toBe("<p>");
    await instance.publish(B);
    await instance.runs("b");
    await instance.says(`release ${B} runs`);
    await instance.publish(C);
    await instance.runs("c");
    await expect.poll(() => instance.releases()).toEqual([B, C]); // A is gone
    const downloads = google.asked.length;
    await instance.name(B); // back to what is still there
    await instance.runs("b");
    const later = google.asked.slice(downloads).filter((url) => !url.includes("current"));
    expect(later).toEqual([]);
    expect(google.tokens).toBe(1);
  });

  test("asks for no more than the name as long as it stays", async () => {
    await instance.publish(A);
    instance.start();
    await instance.says(`release ${A} runs`);
    const before = google.asked.length;
    await instance.looked();
    expect(new Set(google.asked.slice(before)).size).toBe(1);
    expect(instance.said.match(/starting release/g)).toHaveLength(1);
  });

  test.each([
    ["ends at once", "process.exit(1);", undefined],
    ["does not answer", "await new Promise((resolve) => setTimeout(resolve, 1e6));", 8],
    ["is no program", "}{", undefined],
  ])("goes back from a release that %s, and does not try it again", async (_, first, patience) => {
    await instance.publish(A);
    instance.start(patience);
    await instance.says(`release ${A} runs`);
    await instance.publish(B, { "index.mjs": program(first) });
    await instance.says(`release ${B} does not answer; going back to ${A}`);
    await instance.runs("a");
    await instance.looked();
    expect(instance.releases()).toEqual([A]);
    expect(instance.said.match(new RegExp(`starting release ${B}`, "g"))).toHaveLength(1);
    await instance.publish(C);
    await instance.runs("c");
  });

  test("tries the first release again, as there is none to go back to", async () => {
    await instance.publish(A, {
      "index.mjs": program(
        'import { existsSync } from "node:fs"; if (!existsSync(process.argv[2] + ".ready")) process.exit(1);',
      ),
    });
    instance.start();
    await instance.says(`release ${A} does not answer yet, and there is no other`);
    writeFileSync(join(instance.home, A, "config.json.ready"), "");
    await instance.runs("a");
  });

  test.each(["index.mjs", "config.json", "page/index.html"])("does not start a release without %s", async (missing) => {
    await instance.publish(A);
    instance.start();
    await instance.says(`release ${A} runs`);
    await instance.publish(B, { [missing]: undefined });
    await instance.says(`release ${B} lacks ${missing}; keeping what there is`);
    expect(await instance.running()).toBe("a");
    expect(instance.said).not.toContain(`starting release ${B}`);
    await instance.put(B); // whole now
    await instance.runs("b");
  });

  test("writes no file outside of its release", async () => {
    await instance.publish(A, { "../../../evil": "x" });
    instance.start();
    await instance.says("evil is no file of a release");
    expect(existsSync(join(instance.home, "../evil"))).toBe(false);
    expect(instance.said).not.toContain("starting release");
  });

  test.each(["", "../../etc", "ABC DEF"])("takes %j for no digest", async (digest) => {
    await instance.name(digest);
    instance.start();
    await instance.says(`gs://${instance.bucket}/_dashboard/board/current is "${digest}", which is no digest`);
  });

  test("waits for a storage that is down, and keeps what runs", async () => {
    google.fails = 503;
    await instance.publish(A);
    instance.start();
    await instance.says("HTTP 503 Service Unavailable");
    await instance.looked();
    expect(instance.said.match(/HTTP 503/g)).toHaveLength(1); // it is told once
    google.fails = undefined;
    await instance.runs("a");
    google.fails = 503;
    await instance.looked();
    expect(await instance.running()).toBe("a");
    google.fails = undefined;
    await instance.publish(B);
    await instance.runs("b");
  });

  test("asks for another token when one is refused", async () => {
    await instance.publish(A);
    google.token = undefined;
    instance.start();
    await instance.says(/token: HTTP 404 service account not defined/);
    google.token = "t1";
    await instance.runs("a");
    google.valid = "t2";
    await instance.says("HTTP 401 Invalid Credentials");
    expect(await instance.running()).toBe("a");
    google.token = "t2";
    await instance.publish(B);
    await instance.runs("b");
  });

  test("ends on SIGTERM, and the dashboard with it", async () => {
    await instance.publish(A);
    const child = instance.start();
    await instance.says(`release ${A} runs`);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(instance.said).toContain("a ends");
    expect(await instance.running()).toBeUndefined();
  });

  test("ends when the dashboard does, and starts it again without the storage", async () => {
    await instance.publish(A, { "index.mjs": `${program()}\nconsole.log("pid " + process.pid + ".");` });
    const child = instance.start();
    await instance.says(`release ${A} runs`);
    process.kill(Number(/pid (\d+)\./.exec(instance.said)?.[1]), "SIGUSR2");
    expect(await once(child, "exit")).toEqual([1, null]);
    expect(instance.said).toContain(`release ${A} ended with 3`);
    google.fails = 503;
    instance.start();
    await instance.runs("a");
  });

  test("goes on where it was killed, and does not mind what is half written", async () => {
    await instance.publish(A);
    const child = instance.start();
    await instance.says(`release ${A} runs`);
    process.kill(Number(readPid(child)), "SIGKILL");
    child.kill("SIGKILL");
    await once(child, "exit");
    writeFileSync(join(instance.home, "kept.json"), '{"good":"a');
    mkdirSync(join(instance.home, `${B}.new`));
    for (const left of ["index.mjs", "left.mjs"]) writeFileSync(join(instance.home, `${B}.new`, left), "}{");
    await instance.publish(B);
    instance.start();
    await instance.runs("b");
    await expect.poll(() => instance.releases()).toEqual([B]);
    expect(readdirSync(join(instance.home, B)).sort()).toEqual(["config.json", "index.mjs", "page"]);
  });

  test("runs the real dashboard, which answers on all of the machine's addresses", async () => {
    const folder = bundle("dashboard");
    for (const file of ["index.mjs", "page/index.html", "page/page.js"]) {
      await google.storage.put(instance.bucket, `_dashboard/board/${A}/${file}`, readFileSync(join(folder, file)));
    }
    await google.storage.put(
      instance.bucket,
      `_dashboard/board/${A}/config.json`,
      JSON.stringify(realConfig(instance.port)),
    );
    await instance.name(A);
    const child = instance.start();
    await instance.says(`release ${A} runs`);
    const asked = request({
      ...{ host: "127.0.0.2", port: instance.port, path: "/" },
      headers: { Host: `127.0.0.1:${instance.port}` },
    }).end();
    const [answer] = await once(asked, "response");
    expect(answer.statusCode).toBe(200);
    answer.resume();
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});

/** Of the dashboard that the program has started. */
const readPid = (child: ChildProcess): string =>
  readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ").at(-1) as string;

const realConfig = (port: number) => ({
  job: { name: "toy", tables: [{ name: "t", about: "T", columns: [{ name: "x", type: "double" }] }], panels: [] },
  engine: {
    ...{ kind: "bigquery", project: "my-project", location: "europe-west1", lake: "gs://lake", dataset: "d" },
    ...{ dailyScanBytes: 10 ** 9, queryLimitBytes: 10 ** 9 },
  },
  port,
  token: "real",
});
