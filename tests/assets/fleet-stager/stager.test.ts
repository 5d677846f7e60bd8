/** What a fleet's nodes install, from a package index and a Maven repository into a lake on S3. */
import { randomBytes } from "node:crypto";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Entry, Staging } from "../../../assets/fleet-stager/event.ts";
import { handler } from "../../../assets/fleet-stager/index.ts";
import { stage } from "../../../assets/fleet-stager/stage.ts";
import { s3Wheels } from "../../../assets/wheels/s3-store.ts";
import { manifestKey, softwareKey } from "../../../core/lake-layout.ts";
import { type Moto, startMoto } from "../../moto.ts";
import { type FakeIndex, sha256, startIndex } from "../wheels/package-index.ts";

const Bucket = "lake";
const MINUTES = 15 * 60_000;
/** What an invocation keeps for ending. */
const RESERVE_MS = 30_000;
let moto: Moto;
let s3: S3Client;
let index: FakeIndex;
let logged: Record<string, unknown>[];

beforeAll(async () => {
  moto = await startMoto("us-east-1");
  s3 = new S3Client({ forcePathStyle: true });
});
afterAll(() => moto?.close());
beforeEach(async () => {
  await moto.reset();
  await s3.send(new CreateBucketCommand({ Bucket }));
  index = await startIndex("json");
  logged = [];
  vi.spyOn(console, "log").mockImplementation((line) => void logged.push(JSON.parse(line)));
});
afterEach(() => {
  vi.restoreAllMocks();
  index.close();
});

/** Puts a file of our own there, as the stack does. */
async function own(name: string, text: string): Promise<string> {
  const Key = softwareKey(sha256(text), name);
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: text }));
  return Key;
}
const get = async (Key: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
};
const keys = async () =>
  ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key as string);
const uploadsLeft = async () => (await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? [];
const manifest = async (digest: string): Promise<readonly Entry[]> => {
  const content = await get(manifestKey(digest));
  expect(sha256(content)).toBe(digest);
  return JSON.parse(content.toString());
};
const fetched = () => index.asked.filter((path) => path.startsWith("/files/"));
const context = (remainingMs = MINUTES) => {
  const end = Date.now() + remainingMs;
  return { store: s3Wheels(s3, Bucket), remainingMs: () => end - Date.now(), patienceMs: 0 };
};
const pin = (name: string, hash: string) => `${name} --hash=sha256:${hash}`;

/** A script, two jars, a wheel and a source larger than a part; a job has the same wheel. */
async function offer(source = randomBytes(9_000_000), told?: string) {
  const wheel = index.add("foo-1.0-py3-none-any.whl", "a wheel");
  index.add("foo-1.0-cp311-cp311-manylinux_2_28_aarch64.whl", "of another architecture");
  const sdist = index.add("bar-2.0.tar.gz", source, told);
  const jar = index.add("org/x/x/1/x-1.jar", "a jar");
  const other = index.add("org/y/y/1/y-1-tests.jar", "another jar");
  const lock = await own("requirements.txt", `${pin("foo==1.0", wheel)}\n${pin("bar==2.0", told ?? sdist)}\n`);
  const jars = await own("jars.txt", `${other}  org/y/y/1/y-1-tests.jar\n${jar}  org/x/x/1/x-1.jar\n`);
  const script = await own("go.py", "print()");
  const job = await own("requirements.txt", `${pin("foo==1.0", wheel)}\n`);
  const wanted: Staging = {
    bucket: Bucket,
    packageIndex: index.url,
    maven: index.url.replace("simple", "files"),
    manifests: {
      nodes: {
        scripts: { files: { "fleet/go.py": script } },
        hadoop: { jars },
        python: { requirements: lock, sources: true },
      },
      [job]: { venv: { requirements: job } },
    },
  };
  return { wanted, source, sdist, wheel, jar, other, script, job };
}

test("what manifests name lies by its digest, and they are where theirs say", async () => {
  const { wanted, source, sdist, wheel, jar, other, script, job } = await offer(randomBytes(100));
  const staged = await stage(context(), wanted);
  const bytes = source.length + "a wheel".length + "a jar".length + "another jar".length;
  expect(staged).toMatchObject({ files: 5, copied: 4, bytes });
  const entry = (part: string, kind: string, name: string, digest: string) => ({
    ...{ part, kind, name, sha256: digest },
    key: `_software/${digest}/${name.split("/").at(-1)}`,
  });
  const foo = (part: string) => entry(part, "wheel", "foo-1.0-py3-none-any.whl", wheel);
  expect(await manifest(staged.manifests.nodes as string)).toEqual([
    entry("scripts", "script", "fleet/go.py", script.split("/")[1] as string),
    entry("hadoop", "jar", "x-1.jar", jar),
    entry("hadoop", "jar", "y-1-tests.jar", other),
    entry("python", "sdist", "bar-2.0.tar.gz", sdist),
    foo("python"),
  ]);
  expect(await manifest(staged.manifests[job] as string)).toEqual([foo("venv")]);
  expect(sha256(await get(softwareKey(sdist, "bar-2.0.tar.gz")))).toBe(sdist);
  expect((await get(softwareKey(jar, "x-1.jar"))).toString()).toBe("a jar");
  expect(logged.map(({ event }) => event).sort()).toEqual([...Array(4).fill("copied"), "staged"]);
});

test("S3 is told of each part's checksum, that there are some, and what they were", async () => {
  const { wanted, sdist } = await offer();
  const send = vi.spyOn(s3, "send");
  await stage(context(), wanted);
  const inputs = (command: new (input: never) => { readonly input: object }) =>
    send.mock.calls.map(([one]) => one).flatMap((one) => (one instanceof command ? [one.input] : []));
  expect(sha256(await get(softwareKey(sdist, "bar-2.0.tar.gz")))).toBe(sdist);
  const at = { Bucket, ChecksumAlgorithm: "CRC32" };
  expect(inputs(CreateMultipartUploadCommand)).toEqual([expect.objectContaining(at)]);
  expect(inputs(UploadPartCommand)).toEqual([expect.objectContaining(at), expect.objectContaining(at)]);
  const part = (PartNumber: number) => ({
    ...{ PartNumber, ETag: expect.any(String) },
    ChecksumCRC32: expect.stringMatching(/^[\w+/]{6}==$/),
  });
  expect(inputs(CompleteMultipartUploadCommand)).toEqual([
    expect.objectContaining({ MultipartUpload: { Parts: [part(1), part(2)] } }),
  ]);
});

test("a second call does nothing and says so, and one that lacks a file brings that alone", async () => {
  const { wanted, jar } = await offer(randomBytes(100));
  const first = await stage(context(), wanted);
  const [before, there] = [fetched().length, await keys()];
  expect(await stage(context(), wanted)).toEqual({ ...first, copied: 0, bytes: 0 });
  expect(fetched()).toHaveLength(before);
  expect(logged.at(-1)).toMatchObject({ event: "nothing to do", files: 5 });
  await s3.send(new DeleteObjectCommand({ Bucket, Key: softwareKey(jar, "x-1.jar") }));
  expect(await stage(context(), wanted)).toEqual({ ...first, copied: 1, bytes: "a jar".length });
  expect(fetched().slice(before)).toEqual(["/files/org/x/x/1/x-1.jar"]);
  expect(await keys()).toEqual(there);
});

test("a large file with another digest is not there, nor parts of it; the next call brings what was missing", async () => {
  const right = randomBytes(9_000_000);
  const wrong = Buffer.from(right);
  wrong[8_999_999] = ~(right[8_999_999] as number);
  const { wanted, sdist } = await offer(wrong, sha256(right));
  await expect(stage(context(), wanted)).rejects.toThrow(
    /^bar-2\.0\.tar\.gz from \S+ can't be copied to the lake: it has sha256 \w+, which is not in requirements\.txt \(4 of 5 files are in the lake, 3 of them by this call; "pulumi up" goes on\)$/,
  );
  expect(sdist).not.toBe(sha256(right));
  expect((await keys()).filter((key) => /bar-2|manifests/.test(key))).toEqual([]);
  expect(await uploadsLeft()).toEqual([]);
  index.add("bar-2.0.tar.gz", right);
  expect(await stage(context(), wanted)).toMatchObject({ copied: 1, bytes: right.length });
});

test("a call whose time is over ends its uploads, says how far it came and can be made again", async () => {
  const { wanted, source } = await offer();
  index.stallAfter(8_900_000, () => {});
  await expect(stage(context(RESERVE_MS + 800), wanted)).rejects.toThrow(
    /^the time of this call is over \(\d of 5 files are in the lake, \d of them by this call; "pulumi up" goes on\)$/,
  );
  expect(logged.at(-1)).toMatchObject({ event: "ended early" });
  expect((await keys()).filter((key) => /bar-2|manifests/.test(key))).toEqual([]);
  expect(await uploadsLeft()).toEqual([]);
  index.close();
  index = await startIndex("json");
  index.add("foo-1.0-py3-none-any.whl", "a wheel");
  index.add("bar-2.0.tar.gz", source);
  for (const [path, content] of [["x/x/1/x-1.jar", "a jar"] as const, ["y/y/1/y-1-tests.jar", "another jar"] as const])
    index.add(`org/${path}`, content);
  const moved = { ...wanted, packageIndex: index.url, maven: index.url.replace("simple", "files") };
  const staged = await stage(context(), moved);
  expect(staged.bytes).toBeGreaterThanOrEqual(source.length);
  expect(await manifest(staged.manifests.nodes as string)).toHaveLength(5);
});

test("what can't be is told before anything is copied", async () => {
  const { wanted, job } = await offer(randomBytes(100));
  const { nodes = {} } = wanted.manifests;
  const refused = async (change: Partial<Staging>, why: string) => {
    await expect(stage(context(), { ...wanted, ...change })).rejects.toThrow(why);
    expect(fetched()).toEqual([]);
  };
  const nodesWith = (contents: object) => ({ manifests: { nodes: { ...nodes, more: contents } } });
  await refused({ maven: "https://a:b@example.org/maven2" }, "maven holds credentials");
  await refused({ packageIndex: "https://a:b@example.org/simple" }, "packageIndex holds credentials");
  await refused(nodesWith({ jars: job }), 'jars.txt has "foo==1.0 --hash=sha256:');
  await refused(nodesWith({ files: { "a.py": "_runs/1.json" } }), "a.py can't lie at _runs/1.json");
  const { python } = nodes;
  await refused(nodesWith({ requirements: python?.requirements }), "bar 2.0 for Python 3.11 on x86_64 Linux");
  const absent = softwareKey("0".repeat(64), "a.py");
  await expect(stage(context(), { ...wanted, ...nodesWith({ files: { "a.py": absent } }) })).rejects.toThrow(
    `s3://lake/${absent} is missing: "pulumi up" puts it there`,
  );
});

test("a role that S3 doesn't know yet is waited for, and one that it never knows is told of", async () => {
  const { wanted } = await offer(randomBytes(100));
  let denials = 1;
  const store = s3Wheels(s3, Bucket);
  const denied = Object.assign(new Error("Forbidden"), { $metadata: { httpStatusCode: 403 } });
  const exists = (key: string) => (denials-- > 0 ? Promise.reject(denied) : store.exists(key));
  const young = { ...context(), store: { ...store, exists }, patienceMs: 10_000 };
  expect(await stage(young, wanted)).toMatchObject({ copied: 4 });
  denials = Number.POSITIVE_INFINITY;
  await expect(stage({ ...young, patienceMs: 0 }, wanted)).rejects.toThrow("Forbidden");
});

test("the handler does it with what Lambda gives it", async () => {
  const { wanted } = await offer(randomBytes(100));
  expect(await handler(wanted, { getRemainingTimeInMillis: () => MINUTES })).toMatchObject({ files: 5, copied: 4 });
});
