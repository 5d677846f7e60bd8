/** Archives of wheels: what Python finds in them, and that they are whole or not there. */
// @module-tag go
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { strToU8, unzipSync, type Zippable, zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lake } from "../../../assets/dataproc-orchestrator/store.ts";
import { archiveWheels } from "../../../assets/wheels/archive.ts";
import { ZipWriter } from "../../../assets/wheels/zip-write.ts";
import { storageClient } from "../../../clients/google.ts";
import { type FakeStorage, startStorage } from "../../google/storage.ts";
import { lab, site, useLab } from "../dataproc-orchestrator/orchestrator.ts";

const run = promisify(execFile);
const python = process.env.PYTHON ?? "python3";
let storage: FakeStorage;
let folder: string;
const going = new AbortController().signal;

beforeAll(async () => {
  storage = await startStorage();
  Object.assign(process.env, storage.env);
  await storage.makeBucket("lake");
  folder = await mkdtemp(join(tmpdir(), "oneoff-archive-"));
});
afterAll(async () => {
  storage?.close();
  await rm(folder, { recursive: true, force: true });
});

const bucket = () => storageClient("test").bucket("lake");
const store = () => new Lake(bucket()).wheels();
const wheel = (name: string, files: Zippable) => storage.put("lake", `w/${name}.whl`, zipSync(files));
/** The archive's own bytes. */
const archive = async (names: readonly string[], key = "w/packages.zip") => {
  await archiveWheels(
    store(),
    names.map((name) => `w/${name}.whl`),
    key,
    going,
  );
  return (await bucket().file(key).download())[0];
};
const text = (content: string) => strToU8(content);

test("has what wheels install, as Python's own zip and import find it", async () => {
  const large = randomBytes(9_000_000);
  await wheel("native", {
    "native/__init__.py": text("value = 42"),
    "native/lib.so": [large, { level: 0 }],
    "native/größe.txt": text("x".repeat(100_000)),
    "native-1.dist-info/METADATA": text("Name: native\nVersion: 1\nMetadata-Version: 2.1\n"),
    "native-1.data/scripts/tool": text("#!python"),
    "native-1.data/headers/native.h": text("//"),
    "native-1.data/platlib/native/platform.py": text("platform = 1"),
    "native-1.data/purelib/pure.py": text("pure = 1"),
    "native/empty/": new Uint8Array(),
  });
  await wheel("shared", { "native/__init__.py": text("value = 0"), "shared.py": text("import native.platform, pure") });
  const content = await archive(["shared", "native"]);

  const files = unzipSync(content);
  expect(Object.keys(files).sort()).toEqual([
    "native-1.dist-info/METADATA",
    "native/__init__.py",
    "native/größe.txt",
    "native/lib.so",
    "native/platform.py",
    "pure.py",
    "shared.py",
  ]);
  expect(Buffer.compare(files["native/lib.so"] as Uint8Array, large)).toBe(0);

  const file = join(folder, "packages.zip");
  await writeFile(file, content);
  const script = `
import sys, zipfile
sys.path.insert(0, ${JSON.stringify(file)})
assert zipfile.ZipFile(${JSON.stringify(file)}).testzip() is None
import shared, native, importlib.metadata
print(native.value, importlib.metadata.version("native"), oct(zipfile.ZipFile(${JSON.stringify(file)}).getinfo("pure.py").external_attr >> 16))`;
  expect((await run(python, ["-c", script])).stdout.trim()).toBe("42 1 0o100644");
});

test("the same wheels give the same bytes, in whatever order and whenever", async () => {
  await wheel("a", { "a.py": [text("a"), { mtime: "2020-01-01" }] });
  await wheel("b", { "b.py": [text("b"), { mtime: "2021-01-01" }] });
  const one = await archive(["a", "b"], "w/1.zip");
  const two = await archive(["b", "a"], "w/2.zip");
  expect(one.equals(two)).toBe(true);
});

test("tens of thousands of files pass in little memory", async () => {
  const many = Object.fromEntries(Array.from({ length: 30_000 }, (_, n) => [`many/module${n}.py`, text(`n = ${n}`)]));
  await wheel("many", { ...many, "large.bin": [randomBytes(60_000_000), { level: 0 }] });
  const { store: limited, highest } = countingMemory();
  await archiveWheels(limited, ["w/many.whl"], "w/many.zip", going);
  const [{ size }] = await bucket().file("w/many.zip").getMetadata();
  expect(Number(size)).toBeGreaterThan(60_000_000);
  expect(highest()).toBeLessThan(16_000_000);
});

/** The store, and how much of what was read was not passed on to the upload at any time. */
function countingMemory() {
  const inner = store();
  let [read, put, most] = [0, 0, 0];
  return {
    highest: () => most,
    store: {
      ...inner,
      read(key: string, start: number) {
        const stream = inner.read(key, start);
        // The directory at the end is held as a whole.
        if (start === 0)
          stream
            .on("data", (chunk: Buffer) => {
              read += chunk.length;
              most = Math.max(most, read - put);
            })
            .pause();
        return stream;
      },
      put(
        key: string,
        content: NodeJS.ReadableStream & Parameters<typeof inner.put>[1],
        length: number | undefined,
        signal: AbortSignal,
      ) {
        content
          .on("data", (chunk: Buffer) => {
            put += chunk.length;
          })
          .pause();
        return inner.put(key, content, length, signal);
      },
    },
  };
}

describe("leaves nothing, and names the wheel,", () => {
  const leaves = async (problem: string | RegExp) => {
    await expect(archiveWheels(store(), ["w/bad.whl"], "w/bad.zip", going)).rejects.toThrow(problem);
    expect((await bucket().file("w/bad.zip").exists())[0]).toBe(false);
  };

  test("when one is no zip file", async () => {
    await storage.put("lake", "w/bad.whl", "nothing of the kind");
    await leaves("gs://lake/w/bad.whl can't be put into an archive: it is no zip file");
  });

  test("when one is cut off", async () => {
    const whole = zipSync({ "a.py": [randomBytes(100_000), { level: 0 }] });
    await storage.put("lake", "w/bad.whl", Buffer.concat([whole.subarray(0, 5000), whole.subarray(-80)]));
    await leaves(/^gs:\/\/lake\/w\/bad\.whl can't be put into an archive: its directory is broken|ends too early/);
  });

  test.each(["../evil.py", "/etc/evil.py", "a/../../evil.py"])("when %s lies outside", async (name) => {
    await wheel("bad", { [name]: text("evil") });
    await leaves(`its file ${name} lies outside of it`);
  });

  test("when it is stopped", async () => {
    await wheel("slow", { "a.bin": [randomBytes(20_000_000), { level: 0 }] });
    const stop = new AbortController();
    const inner = store();
    const slow = {
      ...inner,
      put: (...[key, content, length, signal]: Parameters<typeof inner.put>) => {
        content.once("data", () => setTimeout(() => stop.abort(new Error("stopped")), 20)).pause();
        return inner.put(key, content, length, signal);
      },
    };
    await expect(archiveWheels(slow, ["w/slow.whl"], "w/slow.zip", stop.signal)).rejects.toThrow("stopped");
    expect((await bucket().file("w/slow.zip").exists())[0]).toBe(false);
  });

  test("when there is too much for one", () => {
    const zip = new ZipWriter();
    const add = (name: string, packed: number) => zip.begin({ name, method: 0, crc: 0, packed, size: packed });
    add("a", 4_000_000_000);
    expect(() => add("b", 400_000_000)).toThrow("too much for one archive");
  });
});

describe("for a run of batches", () => {
  useLab();

  test("one is made before the first of them, and is not made again", async () => {
    const hash = site.index.add("bar-1.0-py3-none-any.whl", Buffer.from(zipSync({ "bar.py": text("x = 1") })));
    await lab.put("_wheels/abc/requirements.txt", `bar==1.0 --hash=sha256:${hash}\n`);
    const wheels = [{ prefix: "_wheels/abc", archive: "_wheels/abc/packages.zip" }];
    await lab.follow(lab.launch("batch", { wheels }));
    expect((await lab.status()).state).toBe("succeeded");
    expect(await lab.keys("_wheels/")).toEqual([
      "_wheels/abc/bar-1.0-py3-none-any.whl",
      "_wheels/abc/packages.zip",
      "_wheels/abc/requirements.txt",
      "_wheels/abc/staged.json",
    ]);
    const asked = site.index.asked.length;
    await lab.follow(lab.launch("batch", { wheels, run: "8" }));
    expect(site.index.asked.length).toBe(asked);
  });

  test("the package whose wheel is broken is named", async () => {
    const wheels = [{ prefix: "_wheels/abc", archive: "_wheels/abc/packages.zip" }];
    await lab.follow(lab.launch("batch", { wheels }));
    expect((await lab.status()).error).toMatch(
      /foo-1\.0-py3-none-any\.whl can't be put into an archive: it is no zip file$/,
    );
    expect(lab.google.batches.size).toBe(0);
  });
});
