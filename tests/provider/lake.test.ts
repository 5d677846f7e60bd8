/** Lakes that somebody else prepared, or that something happened to: what is put there, and what is removed. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { lakeLayout } from "../../core/lake-layout.ts";
import { folder } from "../../provider/folder.ts";
import { checkLake, noteRun } from "../../provider/lake.ts";
import { makeOwnFolder, writeOwn } from "../../provider/own.ts";
import { identify, isAlive, registration } from "../../provider/process.ts";
import type { Properties } from "../../provider/resource.ts";
import { run } from "../../provider/run.ts";
import { server } from "../../provider/server.ts";
import { serviceProcess } from "../../provider/service-process.ts";
import { writeJsonFile } from "../project.ts";

const URN = "urn:pulumi:local::oneoff::oneoff-local:index:Folder::lake";
/** Who has nothing to do with us; only root can give it anything. */
const STRANGER = 54_321;
const isRoot = process.getuid?.() === 0;

let home: string;
let lake: string;
const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
const told = () => warn.mock.calls.map(([message]) => message);
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "oneoff-lake-"));
  lake = join(home, "lake");
  await folder.create(URN, { path: lake, retain: false });
});
afterEach(() => {
  warn.mockClear();
  rmSync(home, { recursive: true, force: true });
});

const places = () => lakeLayout(lake);
const destroy = (retain = false) => folder.delete({ path: lake, retain }, URN);
const problems = async () => (await folder.check(URN, { path: lake, retain: false })).map(({ reason }) => reason);

/** A run as it lies in the lake, which failed unless it says which tables it left. */
function leave(id: string, tables: Readonly<Record<string, object>> = {}): void {
  const said = { state: Object.keys(tables).length > 0 ? "succeeded" : "failed", started: "2026-11-01T00:00:00Z" };
  writeJsonFile(places().record(id), { run: id, job: "numbers", ...said, steps: [], tables });
}
const TABLES = { numbers: { rows: 0, digest: "0" } };

function put(path: string, content = "x"): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
}

/** All files below the lake. */
const files = (): readonly string[] =>
  readdirSync(lake, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(lake.length + 1))
    .sort();

describe("a marker that can't be read", () => {
  test.each([
    ["is no JSON", () => writeFileSync(places().marker, '{"owner": "urn:')],
    ["is a folder", () => [rmSync(places().marker), mkdirSync(places().marker)]],
    ["is a link", () => [rmSync(places().marker), symlinkSync("/etc/hostname", places().marker)]],
  ])("and %s fails destroy and up, with the cure, and the results stay", async (_, spoil) => {
    leave("1", TABLES);
    put(join(places().table("numbers", "1"), "part.parquet"));
    spoil();
    const what = `${places().marker} can't be read`;
    await expect(destroy()).rejects.toThrow(what);
    await expect(destroy(true)).rejects.toThrow(/mend it, or write {} into it if they are this stack's/);
    expect(await problems()).toEqual([expect.stringContaining(what)]);
    expect(() => checkLake(lake)).toThrow(what);
    expect(await folder.read({ path: lake })).toEqual({ path: lake }); // a refresh doesn't forget it
    expect(existsSync(join(places().table("numbers", "1"), "part.parquet"))).toBe(true);
  });

  test("mended as it says, is destroyed", async () => {
    leave("1", TABLES);
    writeFileSync(places().marker, "{}");
    await destroy();
    expect(existsSync(lake)).toBe(false);
  });

  test("that is gone is told of where there are results, and they stay", async () => {
    leave("1", TABLES);
    rmSync(places().marker);
    await destroy();
    expect(told()).toEqual([expect.stringContaining(`${lake} stays as it is: its _lake.json is gone`)]);
    expect(files()).toEqual(["_runs/1.json"]);
    rmSync(lake, { recursive: true });
    writeFileSync(lake, "");
    await destroy();
    expect(told()).toEqual([expect.anything(), `${lake} stays as it is: it was a lake, and is no folder by now.`]);
  });
});

describe("destroy", () => {
  test("takes what the runs made, and of others' nothing, whatever it is called", async () => {
    leave("1", TABLES);
    leave("2");
    noteRun(lake, "3", ["numbers"]); // one that never came to its record
    const own = [
      ...["numbers/run=1/part.parquet", "numbers/run=3/part.parquet", "words/run=2/part.parquet"],
      ...[
        "_logs/1/count.log",
        "_logs/3/count.log",
        "_scratch/2/x",
        "_clusters/9/spec.json",
        "_services/hdfs/spec.json",
      ],
      ...["_dashboards/board/config.json", "_spark-events/app-20261101-0000", "_spark-events/local-1790000000"],
      ...["_runs/.1.json.0123456789abcdef.tmp", "_lake.json.4711.tmp"],
      ...["_cancels/1.json", "_cancels/.1.json.0123456789abcdef.tmp"],
    ];
    const foreign = [
      ...["anything/run=1/part.parquet", "anything/run=9/part.parquet", "numbers/run=mine/part.parquet"],
      ...[
        "_runs/notes.txt",
        "_runs/9.json",
        "_cancels/9.json",
        "_logs/mine/x.log",
        "_services/mine/notes.txt",
        "_spark-events/mine",
      ],
      ...["_mine/run=1/x", "run=1/x", "_scratch/mine/x"],
    ];
    for (const path of [...own, ...foreign]) put(join(lake, path));
    symlinkSync("/dev/null/nowhere", join(lake, "numbers", "run=4"));
    await destroy();
    expect(files()).toEqual([...foreign, "numbers/run=4"].sort());
    expect(told()).toEqual([
      `These stay in ${lake}, as no run of this lake made them: _cancels/9.json, _logs/mine/x.log, _mine/run=1/x and 10 more. Take them elsewhere, or remove them by hand.`,
    ]);
    expect(existsSync(places().marker)).toBe(false);
  });

  test("goes through no link, and takes no folder for one that is another's", async () => {
    const elsewhere = join(home, "elsewhere");
    put(join(elsewhere, "1.json"), readFileSync(places().marker, "utf8"));
    put(join(elsewhere, "run=1", "part.parquet"));
    leave("1");
    rmSync(places().records, { recursive: true });
    for (const name of ["_runs", "_logs", "_clusters", "_services", "numbers"])
      symlinkSync(elsewhere, join(lake, name));
    await destroy();
    expect(readdirSync(elsewhere).sort()).toEqual(["1.json", "run=1"]);
    expect(existsSync(join(elsewhere, "run=1", "part.parquet"))).toBe(true);
  });

  test("leaves the lake of another stack as it is", async () => {
    leave("1", TABLES);
    await folder.delete({ path: lake, retain: false }, URN.replace("local", "other"));
    expect(files()).toEqual(["_lake.json", "_runs/1.json"]);
    expect(told()).toEqual([expect.stringContaining("it is the lake of another stack by now")]);
  });

  test("finds files where folders ought to be", async () => {
    for (const name of ["_runs", "_logs", "_clusters", "_services", "_dashboards", "_scratch", "numbers"])
      writeFileSync(join(lake, name), "");
    await destroy();
    expect(files()).toContain("_runs");
    expect(told()).toEqual([expect.stringContaining("These stay in")]);
  });
});

const board = { name: "board", port: 1, job: { name: "numbers", tables: [], panels: [] } };
const process_ = { name: "one", command: ["true"], env: {}, disks: [], ports: [] };
const secret = { name: "s", path: "/run/secrets/s", content: "hush!", isSecret: true };

describe("a name", () => {
  const inputs = (more: object) => ({ run: "1", job: { tables: [], steps: [] }, python: "/gone", lake, ...more });
  test.each<[string, () => unknown]>([
    ["of a dashboard", () => server.check("", { ...board, lake, name: "../../board" })],
    ["of a run", () => run.check("", inputs({ run: "../1" }))],
    ["of a table", () => run.check("", inputs({ job: { tables: [{ name: "../points" }], steps: [] } }))],
    ["of a step", () => run.check("", inputs({ job: { tables: [], steps: [{ name: "a/../../b" }] } }))],
    ["of a secret", () => run.check("", inputs({ secrets: { "..": "hush!" } }))],
    ["of a service", () => serviceProcess.check("", { ...process_, lake, name: "../one" })],
  ])("%s that leads out of the lake is refused", async (_, check) => {
    const reasons = ((await check()) as { readonly reason: string }[]).map(({ reason }) => reason);
    expect(reasons.find((reason) => reason.includes('".') || reason.includes('"a/'))).toMatch(
      / is "[^"]+": expected (a name that a folder can have|lower-case letters)/,
    );
  });

  test("that an older version took is left alone when it goes", async () => {
    put(join(home, "board", "thesis.tex"));
    await server.delete({ ...board, lake, name: "../../board" });
    await run.delete({ lake, run: "../../board" });
    expect(existsSync(join(home, "board", "thesis.tex"))).toBe(true);
    expect(await server.read({ ...board, lake, name: "../../board" })).toBeUndefined();
  });

  test("leads to no path outside of the lake, whoever asks", () => {
    const { cluster, dashboard, log, record, service, table } = places();
    for (const name of ["..", ".", "", "a/b", "a\\b", "../a", "a\0"]) {
      for (const path of [cluster, dashboard, record, service])
        expect(() => path(name)).toThrow("expected a name that");
      for (const path of [log, table]) expect(() => path("a", name)).toThrow("expected a name that");
      for (const path of [log, table]) expect(() => path(name, "a")).toThrow("expected a name that");
    }
  });
});

describe("what is secret", () => {
  test("is written into no file that is there, nor through a link", () => {
    const [theirs, file] = [join(home, "theirs"), join(home, "secret")];
    writeFileSync(theirs, "", { mode: 0o666 });
    symlinkSync(theirs, file);
    writeOwn(file, "hush!");
    expect(readFileSync(theirs, "utf8")).toBe("");
    expect([readFileSync(file, "utf8"), statSync(file).mode & 0o777]).toEqual(["hush!", 0o600]);
    symlinkSync(theirs, `${join(home, "json")}.${process.pid}.tmp`);
    writeJsonFile(join(home, "json"), "hush!");
    expect(readFileSync(theirs, "utf8")).toBe("");
  });

  test("is put into folders that nobody else can look into, and into none behind a link", async () => {
    makeOwnFolder(lake, join(lake, "_clusters", "1", "work"));
    for (const path of ["_clusters", "_clusters/1", "_clusters/1/work"])
      expect(statSync(join(lake, path)).mode & 0o777, path).toBe(0o700);
    symlinkSync(home, join(lake, "_services"));
    const made = serviceProcess.create("", { ...process_, lake, files: [secret] });
    await expect(made).rejects.toThrow(`${join(lake, "_services")} is not a folder, and ought to be one`);
    writeFileSync(join(lake, "_dashboards"), "");
    await expect(server.create("", { ...board, lake })).rejects.toThrow("is not a folder, and ought to be one");
    expect(() => makeOwnFolder(lake, join(home, "elsewhere"))).toThrow("is not within the lake");
    expect(readdirSync(home)).toEqual(["lake"]);
  });
});

describe.skipIf(!isRoot)("a folder that another user prepared", () => {
  const strangers = (path: string) => chownSync(path, STRANGER, STRANGER);
  const cases: [string, string, (path: string) => void][] = [
    ["belongs to him", `belongs to user ${STRANGER}, and you are user 0`, strangers],
    ["is open to everybody", "everybody may write in", (path) => chmodSync(path, 0o777)],
    [
      "is open to a group",
      `group ${STRANGER} may write in`,
      (path) => [chownSync(path, 0, STRANGER), chmodSync(path, 0o775)],
    ],
  ];

  test.each(cases)("and %s is no lake: not a new one, and not one that was ours", async (_, reason, prepare) => {
    prepare(lake);
    const said = [expect.stringMatching(new RegExp(`^lake is ".*": .*${reason}.*; choose another folder with: `))];
    expect(await problems()).toEqual(said);
    await expect(folder.create(URN, { path: lake, retain: false })).rejects.toThrow(reason);
    for (const made of [
      serviceProcess.create("", { ...process_, lake, files: [secret] }),
      server.create("", { ...board, lake }),
      run.create("", { run: "1", lake, job: { tables: [], steps: [] }, secrets: { token: "hush!" } } as Properties),
    ])
      await expect(made).rejects.toThrow(reason);
    expect(files()).toEqual(["_lake.json"]);
    rmSync(places().marker);
    expect(await problems()).toEqual(said); // an empty one
  });

  test("and made a link to is none either", async () => {
    const link = join(home, "link");
    symlinkSync(lake, link);
    expect(await folder.check(URN, { path: link, retain: false })).toEqual([]); // one of our own is fine
    lchownSync(link, STRANGER, STRANGER);
    const [problem] = await folder.check(URN, { path: link, retain: false });
    expect(problem?.reason).toContain(`${link} is a link that user ${STRANGER} made`);
  });

  test("within the lake gets nothing, and no process that is named there is ended", async () => {
    for (const name of ["_services", "_services/one", "_dashboards", "_dashboards/board"]) {
      mkdirSync(join(lake, name), { mode: 0o777 });
      strangers(join(lake, name));
    }
    const files = [secret];
    await expect(serviceProcess.create("", { ...process_, lake, files })).rejects.toThrow("nothing is put there");
    await expect(server.create("", { ...board, lake })).rejects.toThrow("nothing is put there");
    expect(readdirSync(join(lake, "_services", "one"))).toEqual([]);
    const bystander = spawn("sleep", ["60"]);
    const id = identify(bystander.pid as number);
    writeJsonFile(registration(join(lake, "_services", "one")), id);
    await destroy();
    expect(isAlive(id)).toBe(true);
    bystander.kill();
  });
});
