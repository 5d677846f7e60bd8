/** A lake is read in one way, wherever it is. */

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import promises from "node:fs/promises";
import { createServer } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { storageClient } from "../../clients/google.ts";
import { FolderStore } from "../../clients/lake/folder.ts";
import { GcsStore } from "../../clients/lake/gcs.ts";
import type { ByteRange } from "../../clients/lake/piece.ts";
import { fetchParts, partKeys, readJson, readText } from "../../clients/lake/read.ts";
import { S3Store } from "../../clients/lake/s3.ts";
import type { LakeStore } from "../../clients/lake/store.ts";
import { UsageError } from "../../core/errors.ts";
import { startMoto } from "../moto.ts";
import { connections, instead, KINDS, type Place } from "./lakes.ts";

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "oneoff scratch'-"));
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** Names that a shell, an address or a pattern would take for something else. */
const ODD = `it's "a" $HOME \`name\` & 100% é#?*[x]+.json`;

/** Puts many at once. */
async function putAll(place: Place, lake: string, keys: readonly string[], content = (key: string) => key) {
  for (let i = 0; i < keys.length; i += 50) {
    await Promise.all(keys.slice(i, i + 50).map((key) => place.put(lake, key, content(key))));
  }
}

for (const [kind, { tags, start }] of Object.entries(KINDS)) {
  describe(`a lake by ${kind}`, { tags: [...tags] }, () => {
    let place: Place;
    let lakes = 0;
    let name: string;
    let store: LakeStore;
    const put = (key: string, content: string) => place.put(name, key, content);

    beforeAll(async () => {
      place = await start();
    });
    afterAll(() => place.close());
    beforeEach(() => {
      lakes += 1;
      name = `deep/lake ${lakes}`;
      store = place.lake(name);
    });
    afterEach(() => store.close());

    test("is empty before anything is written", async () => {
      expect(await store.keys("")).toEqual([]);
      expect(await store.keys("_runs/")).toEqual([]);
      expect(await store.list("_runs/")).toEqual([]);
      expect(await store.bytes("_runs/1.json")).toBeUndefined();
      expect(await readJson(store, "_runs/1.json")).toBeUndefined();
      expect(await fetchParts(store, "monthly", "1", scratch)).toEqual([]);
      await put("_runs", "a file in a folder's place");
      expect(await store.keys("_runs/")).toEqual([]);
      expect(await store.bytes("_runs/1.json")).toBeUndefined();
    });

    test("tells keys that begin so, sorted and below its own prefix", async () => {
      await putAll(place, name, ["_runs/2.json", "_runs/10.json", "_runs/1.json", "_runs/1/a.log", "_runs-old/1.json"]);
      await place.put(`${name}+`, "_runs/3.json", "of a lake whose name begins like this one's");
      expect(await store.keys("_runs/")).toEqual(["_runs/1.json", "_runs/1/a.log", "_runs/10.json", "_runs/2.json"]);
      expect(await store.keys("_runs/1")).toEqual(["_runs/1.json", "_runs/1/a.log", "_runs/10.json"]);
      expect(await store.keys("_runs/1/")).toEqual(["_runs/1/a.log"]);
      expect(await store.keys("_runs/1.json")).toEqual(["_runs/1.json"]);
      expect(await store.keys("_runs/1.json/")).toEqual([]);
      expect(await store.keys("_ru")).toHaveLength(5);
      expect(await store.keys("")).toHaveLength(5);
      const all = place.lake();
      expect(await all.keys(`${name}/_runs-`)).toEqual([`${name}/_runs-old/1.json`]);
      expect(await readText(all, `${name}/_runs/2.json`)).toBe("_runs/2.json");
      all.close();
    });

    test("tells what changes about a file", async () => {
      const before = Date.now() - 2000;
      await putAll(place, name, ["_runs/1.json", "_runs/2.json"]);
      const first = await store.list("_runs/");
      expect(first.map(({ key }) => key)).toEqual(["_runs/1.json", "_runs/2.json"]);
      for (const { modified } of first) expect(modified).toBeGreaterThan(before);
      for (const { modified } of first) expect(modified).toBeLessThan(Date.now() + 2000);
      expect(await store.list("_runs/")).toEqual(first);
      await put("_runs/2.json", "something else");
      const second = await store.list("_runs/");
      expect(second[0]).toEqual(first[0]);
      expect(second[1]?.etag).not.toBe(first[1]?.etag);
    });

    test("reads bytes from a position on", async () => {
      await put("_logs/1/convert.log", "rows 1\nzwölf\n");
      await put("_logs/1/empty.log", "");
      const from = async (position?: number, key = "_logs/1/convert.log") => {
        const bytes = await store.bytes(key, position);
        return bytes && Buffer.from(bytes).toString("latin1");
      };
      expect(await from()).toBe("rows 1\nzw\xc3\xb6lf\n");
      expect(await from(0)).toBe("rows 1\nzw\xc3\xb6lf\n");
      expect(await from(10)).toBe("\xb6lf\n");
      expect(await from(13)).toBe("\n");
      expect([await from(14), await from(15), await from(1e9)]).toEqual(["", "", ""]);
      expect([await from(0, "_logs/1/empty.log"), await from(1, "_logs/1/empty.log")]).toEqual(["", ""]);
      expect([await from(0, "_logs/1/none.log"), await from(7, "_logs/1/none.log")]).toEqual([undefined, undefined]);
      expect(await from(0, "_logs/1")).toBeUndefined();
    });

    test("reads a range of bytes, and says where it is and of how many", async () => {
      await put("_logs/1/convert.log", "0123456789");
      await put("_logs/1/empty.log", "");
      const piece = async (range: ByteRange, key = "_logs/1/convert.log") => {
        const found = await store.piece(key, range);
        return found && [Buffer.from(found.bytes).toString(), found.from, found.size];
      };
      expect(await piece({ from: 0, length: 4 })).toEqual(["0123", 0, 10]);
      expect(await piece({ from: 7, length: 2 })).toEqual(["78", 7, 10]);
      expect(await piece({ from: 7, length: 100 })).toEqual(["789", 7, 10]);
      expect(await piece({ last: 3 })).toEqual(["789", 7, 10]);
      expect(await piece({ last: 100 })).toEqual(["0123456789", 0, 10]);
      expect(await piece({ from: 10, length: 1 })).toEqual(["", 10, 10]);
      expect(await piece({ from: Number.MAX_SAFE_INTEGER - 9, length: 9 })).toEqual(["", 10, 10]);
      for (const range of [{ last: 3 }, { from: 0, length: 3 }, { from: 3, length: 3 }]) {
        expect(await piece(range, "_logs/1/empty.log")).toEqual(["", 0, 0]);
        expect(await piece(range, "_logs/1/none.log")).toBeUndefined();
        expect(await piece(range, "_logs/1")).toBeUndefined();
      }
    });

    test("reads text and JSON", async () => {
      await put("a.json", '{"place": "Zürich 🏔"}');
      await put("half.json", '{"place": ');
      await put("empty.json", "");
      expect(await readText(store, "a.json")).toBe('{"place": "Zürich 🏔"}');
      expect(await readJson(store, "a.json")).toEqual({ place: "Zürich 🏔" });
      expect(await readText(store, "empty.json")).toBe("");
      for (const key of ["half.json", "empty.json", "none.json"]) expect(await readJson(store, key)).toBeUndefined();
      expect(await text(await store.content("a.json"))).toBe('{"place": "Zürich 🏔"}');
      expect(await text(await store.content("empty.json"))).toBe("");
      await expect(store.content("none.json").then(text)).rejects.toThrow(Error);
    });

    test("takes names as they are", async () => {
      await put(`_odd ones'/${ODD}`, "odd");
      expect(await store.keys("_odd ones'/")).toEqual([`_odd ones'/${ODD}`]);
      expect(await store.keys(`_odd ones'/${ODD.slice(0, 9)}`)).toEqual([`_odd ones'/${ODD}`]);
      expect((await store.list("_odd")).map(({ key }) => key)).toEqual([`_odd ones'/${ODD}`]);
      expect(await readText(store, `_odd ones'/${ODD}`)).toBe("odd");
      expect(await text(await store.content(`_odd ones'/${ODD}`))).toBe("odd");
    });

    test("makes a file once, whoever asks", async () => {
      await put("_lake.json", "{}"); // what is not there is not made
      const key = `_cancels/${ODD}`;
      const made = await Promise.all(["a", "b", "c"].map((content) => store.create(key, content)));
      expect(made.filter((was) => was)).toHaveLength(1);
      expect(await readText(store, key)).toBe(["a", "b", "c"][made.indexOf(true)]);
      expect(await store.create(key, "d")).toBe(false);
      expect(await store.create("at the top", "e")).toBe(true);
      expect(await store.keys("")).toEqual([key, "_lake.json", "at the top"].sort());
    });

    test("replaces a file that is as it was, and no other", async () => {
      await put("_runs/1.json", "running");
      const etag = async () => (await store.list("_runs/1.json"))[0]?.etag as string;
      const before = await etag();
      expect(await store.replace("_runs/1.json", "cancelled", before)).toBe(true);
      expect(await readText(store, "_runs/1.json")).toBe("cancelled");
      expect(await store.replace("_runs/1.json", "failed", before)).toBe(false);
      expect(await store.replace("_runs/2.json", "failed", await etag())).toBe(false);
      expect(await readText(store, "_runs/1.json")).toBe("cancelled");
      expect(await store.keys("_runs/")).toEqual(["_runs/1.json"]);
    });

    test("tells the folders at its top", async () => {
      expect(await store.folders()).toEqual([]);
      await putAll(place, name, [
        "points/run=1/1.parquet",
        "points/run=2/1.parquet",
        "_runs/1.json",
        `it's/${ODD}`,
        "file",
      ]);
      await place.put(`${name}+`, "another/1", "of a lake whose name begins like this one's");
      expect(await store.folders()).toEqual(["_runs", "it's", "points"]);
    });

    test("removes what begins so, with what it lies in, as often as it is asked", async () => {
      const others = ["points/run=10/1.parquet", "points/run=2/1.parquet", "_runs/1.json"].sort();
      const own = ["points/run=1/m=1/.1.parquet.crc", "points/run=1/_SUCCESS", `points/run=1/${ODD}`];
      await putAll(place, name, [...own, ...others]);
      await store.remove("points/run=1/");
      expect(await store.keys("")).toEqual(others);
      await store.remove("points/run=1/");
      await store.remove("nowhere/run=1/");
      await store.remove("_runs/1.json");
      expect(await store.keys("")).toEqual(others.filter((key) => key !== "_runs/1.json"));
      await expect(store.remove("points/../_runs/")).rejects.toThrow('without ".."');
    });

    test.each(["../x", "..", "a/../../x", "a/..", "a\\..\\x"])("does not lead out by %s", async (key) => {
      await place.put("deep", "x", "outside");
      const leads = new UsageError(`key is ${JSON.stringify(key)}: expected a path below the lake, without ".."`);
      await expect(store.bytes(key)).rejects.toEqual(leads);
      await expect(store.piece(key, { last: 1 })).rejects.toEqual(leads);
      await expect(store.content(key)).rejects.toEqual(leads);
      await expect(store.keys(`${key}/`)).rejects.toThrow('without ".."');
      await expect(store.list(`${key}/`)).rejects.toThrow('without ".."');
      await put("a..b/..c", "inside");
      expect(await readText(store, "a..b/..c")).toBe("inside");
    });

    test("fetches the part files of one run of a table, and what is no part of it stays", async () => {
      const parts = ["area=it's north/month=1/part-0.parquet", "area=south/part-0.parquet", "part-1.parquet"];
      const keys = parts.map((path) => `monthly/run=1/${path}`);
      await putAll(place, name, keys);
      const others = [
        "_SUCCESS",
        "notes.txt",
        ".a.parquet",
        "_b.parquet",
        "_temporary/0/c.parquet",
        "m=1/.d/e.parquet",
      ];
      await putAll(
        place,
        name,
        others.map((path) => `monthly/run=1/${path}`),
      );
      await putAll(place, name, ["monthly/run=10/part-0.parquet", "monthly/run=1.parquet", "other/run=1/a.parquet"]);
      expect(await partKeys(store, "monthly", "1")).toEqual(keys);
      const files = await fetchParts(store, "monthly", "1", scratch);
      const root = store.path?.("") ?? scratch;
      expect(files).toEqual(keys.map((key) => join(root, key)));
      expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(keys);
      const inScratch = (await new FolderStore(scratch).keys("")).length;
      expect(inScratch).toBe(store.path ? 0 : keys.length);
    });

    test.each(["", "..", "1/../2", "r 1"])("refuses run %j", async (run) => {
      await expect(partKeys(store, "monthly", run)).rejects.toThrow(/^runId is /);
      await expect(fetchParts(store, "monthly", run, scratch)).rejects.toThrow(UsageError);
    });

    test("sees more files than a listing's page has", async () => {
      const keys = Array.from({ length: 1100 }, (_, i) => `big/run=1/${"x".repeat(150)}-${i}.parquet`).sort();
      await putAll(place, name, keys, (key) => key.slice(-15));
      expect(await store.keys("big/")).toEqual(keys);
      expect((await store.list("big/run=1/")).map(({ key }) => key)).toEqual(keys);
      const files = await fetchParts(store, "big", "1", scratch);
      expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(keys.map((key) => key.slice(-15)));
      expect(readdirSync(scratch)).toEqual(store.path ? [] : ["big"]);
    });

    if (kind === "S3" || kind === "GCS") {
      test("leaves out what stands in a folder's place", async () => {
        for (const key of ["", "_runs/", "_runs/1.json"]) await put(key, "");
        expect(await store.keys("")).toEqual(["_runs/1.json"]);
        expect((await store.list("_runs/")).map(({ key }) => key)).toEqual(["_runs/1.json"]);
      });
    }

    if (kind === "ssh") {
      test("takes two connections for a table, however many files it has", async () => {
        await putAll(place, name, ["a/run=1/1.parquet", "a/run=1/2.parquet", "a/run=1/3.parquet"]);
        const before = connections();
        expect(await fetchParts(store, "a", "1", scratch)).toHaveLength(3);
        expect(connections() - before).toBe(2);
        expect(await fetchParts(store, "none", "1", scratch)).toEqual([]);
        expect(connections() - before).toBe(3);
      });

      test("says that nobody is let in, and what is wrong there", async () => {
        await put("a/run=1/1.parquet", "x");
        const denied = 'echo "me@machine: Permission denied (publickey)." >&2; exit 255';
        await instead("ssh", denied, async () => {
          const content = () => store.content("a").then(text);
          for (const look of [() => store.keys(""), () => store.list(""), () => store.bytes("a"), content]) {
            await expect(look()).rejects.toThrow("ssh://me@machine lets nobody in");
          }
        });
        await expect(store.fetch?.(["none"], scratch)).rejects.toThrow(/^ssh:\/\/me@machine: tar: /);
      });

      test("a folder that goes while it is looked into is no matter, one that may not be is", async () => {
        await put("a/1.parquet", "x");
        const find = (said: string) => `echo "find: './b': ${said}" >&2; printf './1.parquet\\0'; exit 1`;
        await instead("find", find("No such file or directory"), async () => {
          expect(await store.keys("a/")).toEqual(["a/1.parquet"]);
        });
        await instead("find", find("Permission denied"), async () => {
          await expect(store.keys("a/")).rejects.toThrow("ssh://me@machine: find: './b': Permission denied");
        });
      });
    }

    if (kind === "folder" || kind === "ssh") {
      test("nothing is removed of what is behind a link", async () => {
        await place.put("elsewhere", "run=1/1.parquet", "somebody else's");
        await put("_runs/1.json", "{}");
        const { address } = store;
        symlinkSync(join(address, "..", "..", "elsewhere"), join(address, "points"));
        await expect(store.remove("points/run=1/")).rejects.toThrow("lies elsewhere by a link, which is not followed");
        expect(await place.lake("elsewhere").keys("")).toEqual(["run=1/1.parquet"]);
      });

      test("a lake that was taken away does not come back", async () => {
        await expect(store.create("_cancels/1.json", "{}")).rejects.toThrow(UsageError);
        await expect(store.replace("_runs/1.json", "{}", "1 2 3")).rejects.toThrow(UsageError);
        expect(await place.lake().keys(name)).toEqual([]);
      });
    }

    if (kind === "folder") {
      test("reads no piece of what lies elsewhere, by whichever link, and of what is no file", async () => {
        await putAll(place, name, ["elsewhere/secret.log", "_logs/1/a.log", "_logs/4/a.log"], () => "content");
        const at = (key: string) => store.path?.(key) ?? "";
        symlinkSync(at("elsewhere/secret.log"), at("_logs/1/file.log"));
        symlinkSync(at("elsewhere"), at("_logs/2"));
        symlinkSync(at("gone"), at("_logs/1/dangling.log"));
        execFileSync("mkfifo", [at("_logs/1/pipe.log")]);
        const look = (key: string, lake = store) => lake.piece(key, { last: 4 });
        for (const key of ["_logs/1/file.log", "_logs/2/secret.log"]) {
          await expect(look(key)).rejects.toThrow(/lies elsewhere by a link, which is not followed/);
        }
        expect(await look("_logs/1/dangling.log")).toBeUndefined();
        expect(await look("_logs/1/pipe.log")).toBeUndefined();
        expect(await store.bytes("_logs/1/pipe.log")).toBeUndefined();
        expect((await look("_logs/1/a.log"))?.size).toBe(7);
        // A lake may itself be reached by a link.
        symlinkSync(at(""), join(scratch, "lake"));
        expect((await look("_logs/1/a.log", new FolderStore(join(scratch, "lake"))))?.size).toBe(7);
      });

      test("looks below the folder that a prefix names, and asks for no file's time unless that is wanted", async () => {
        await putAll(place, name, ["_runs/1.json", "_runs/2.json", "a/run=1/m=1/1.parquet", "a/run=2/1.parquet"]);
        const asks = [vi.spyOn(promises, "readdir"), vi.spyOn(promises, "stat")];
        syncBuiltinESMExports();
        const counted = async (look: () => Promise<unknown>) => {
          for (const ask of asks) ask.mockClear();
          await look();
          return asks.map((ask) => ask.mock.calls.length);
        };
        try {
          expect(await counted(() => store.keys("_runs/"))).toEqual([1, 0]);
          expect(await counted(() => store.keys("a/run=1/"))).toEqual([2, 0]);
          expect(await counted(() => store.keys("a/run=2"))).toEqual([2, 0]);
          expect(await counted(() => store.list("_runs/"))).toEqual([1, 2]);
        } finally {
          vi.restoreAllMocks();
          syncBuiltinESMExports();
        }
      });
    }
  });
}

describe("a bucket that is not there is no lake without runs", () => {
  const looks = async (store: LakeStore, said: RegExp) => {
    await expect(store.keys("_runs/")).rejects.toThrow(said);
    await expect(store.bytes("_runs/1.json")).rejects.toThrow(said);
    await expect(store.bytes("_runs/1.json", 7)).rejects.toThrow(said);
    await expect(readJson(store, "_runs/1.json")).rejects.toThrow(said);
    await expect(store.piece("_runs/1.json", { last: 1 })).rejects.toThrow(said);
    await expect(store.content("_runs/1.json").then(text)).rejects.toThrow(said);
    store.close();
  };

  test("by S3", async () => {
    const moto = await startMoto();
    const s3 = new S3Client({ region: "us-west-2", forcePathStyle: true });
    await looks(new S3Store("s3://gone/lake", s3), /^The specified bucket does not exist/);
    moto.close();
  });

  test("by GCS, which says so in the text of its answer alone", async () => {
    let answer = "The specified bucket does not exist.";
    const server = createServer((_, response) => response.writeHead(404).end(answer)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    vi.stubEnv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", url);
    const store = new GcsStore("gs://bucket/lake", storageClient("test-project"));
    await looks(store, /bucket does not exist/);
    answer = "No such object: bucket/lake/_runs/1.json";
    expect(await store.bytes("_runs/1.json")).toBeUndefined();
    vi.unstubAllEnvs();
    server.close();
  });
});

test.each(["s3://", "s3:///lake", "s3://bucket/../other", "s3://.."])("%s is the address of no lake", (address) => {
  expect(() => new S3Store(address, new S3Client({ region: "us-west-2" }))).toThrow(/^lake is .*: expected a/);
});

test("what can't be fetched ends the fetching, and nothing is written after", async () => {
  const keys = Array.from({ length: 20 }, (_, i) => `a/run=1/${String(i).padStart(2, "0")}.parquet`);
  const asked: string[] = [];
  const store: LakeStore = {
    ...{
      address: "s3://lake",
      isFar: true,
      keys: async () => keys,
      list: async () => [],
      bytes: async () => undefined,
      create: async () => false,
      replace: async () => false,
      piece: async () => undefined,
      folders: async () => [],
      remove: async () => {},
    },
    async content(key) {
      asked.push(key);
      if (key.endsWith("03.parquet")) throw new Error("refused");
      return Readable.from([key]);
    },
    close() {},
  };
  mkdirSync(join(scratch, "below"));
  await expect(fetchParts(store, "a", "1", join(scratch, "below"))).rejects.toThrow("refused");
  expect(asked.length).toBeLessThan(keys.length);
  rmSync(join(scratch, "below"), { recursive: true });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(existsSync(join(scratch, "below"))).toBe(false);
});
