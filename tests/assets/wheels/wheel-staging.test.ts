/** Wheels from a package index into a lake, of each cloud's kind. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { nodeEnvironment } from "../../../assets/wheels/markers.ts";
import { chooseFile, listFiles } from "../../../assets/wheels/package-index.ts";
import { readRequirements } from "../../../assets/wheels/requirements.ts";
import { stageWheels } from "../../../assets/wheels/wheels.ts";
import { retry } from "../../../core/retry.ts";
import { type FakeIndex, sha256, startIndex } from "./package-index.ts";
import { type LakeStore, type StoreKind, storeOf } from "./wheel-stores.ts";

function staging(kind: StoreKind): void {
  let lake: LakeStore;
  let index: FakeIndex;
  const prefix = "_wheels/abc";

  beforeAll(async () => {
    lake = await storeOf(kind);
  });
  afterAll(() => lake?.close());
  beforeEach(() => lake.clear());
  afterEach(() => index?.close());

  const require = (pins: Readonly<Record<string, readonly string[]>>) =>
    lake.put(
      `${prefix}/requirements.txt`,
      Object.entries(pins)
        .map(([pin, hashes]) => [pin, ...hashes.map((hash) => `    --hash=sha256:${hash}`)].join(" \\\n"))
        .join("\n"),
    );
  const stage = (architecture: "arm64" | "x86_64" = "arm64", packageIndex = index.url) =>
    stageWheels(lake.store, { wheels: [prefix], architecture, packageIndex });
  const staged = async () =>
    (await lake.keys()).map((key) => key.slice(prefix.length + 1)).filter((name) => name !== "requirements.txt");

  describe.each(["json", "html"] as const)("from an index of %s", (kind) => {
    test("puts the wheel of the architecture beside the requirements, byte for byte", async () => {
      index = await startIndex(kind);
      const content = randomBytes(20_000_000);
      const arm = index.add("Foo_Bar-1.0+cpu-cp311-cp311-manylinux_2_28_aarch64.whl", content);
      const intel = index.add("Foo_Bar-1.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", "intel");
      const pure = index.add("baz-2.0-py3-none-any.whl", "pure");
      await require({ "foo-bar==1.0+cpu": [arm, intel], "baz==2.0": [pure] });

      const keys = await stage("arm64");

      const wheel = "Foo_Bar-1.0+cpu-cp311-cp311-manylinux_2_28_aarch64.whl";
      expect(await staged()).toEqual([wheel, "baz-2.0-py3-none-any.whl"]);
      expect(keys).toEqual([`${prefix}/${wheel}`, `${prefix}/baz-2.0-py3-none-any.whl`]);
      expect(sha256(await lake.get(`${prefix}/${wheel}`))).toBe(sha256(content));

      const before = index.asked.filter((path) => path.startsWith("/files/")).length;
      expect(await stage("arm64")).toEqual(keys);
      expect(index.asked.filter((path) => path.startsWith("/files/"))).toHaveLength(before);
    });

    test("takes a wheel without a hash of the index's only if its bytes have one that is allowed", async () => {
      index = await startIndex(kind);
      const hash = index.add("foo-1.0-py3-none-any.whl", "good", "");
      await require({ "foo==1.0": [hash] });
      await stage();
      expect(await staged()).toEqual(["foo-1.0-py3-none-any.whl"]);
    });
  });

  test("leaves nothing when it is stopped in the middle of a file", async () => {
    index = await startIndex("json");
    const stop = new AbortController();
    const hash = index.add("foo-1.0-py3-none-any.whl", randomBytes(12_000_000));
    await require({ "foo==1.0": [hash] });
    index.stallAfter(10_000_000, () => stop.abort(new Error("stopped")));
    const staging = { wheels: [prefix], architecture: "arm64", packageIndex: index.url } as const;
    await expect(stageWheels(lake.store, staging, stop.signal)).rejects.toThrow();
    expect(await staged()).toEqual([]);
  });

  test("never leaves a file whose bytes aren't what was locked", async () => {
    index = await startIndex("json");
    const locked = sha256("what was locked");
    const large = randomBytes(9_000_000);
    const real = index.add("foo-1.0-py3-none-any.whl", large, locked);
    await require({ "foo==1.0": [locked] });
    await expect(stage()).rejects.toThrow(`has sha256 ${real}, which is not in requirements.txt`);
    expect(await staged()).toEqual([]);
  });

  test("says which package has no wheel that fits", async () => {
    index = await startIndex("html");
    const hash = index.add("foo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", "intel");
    await require({ "foo==1.0": [hash] });
    await expect(stage("arm64")).rejects.toThrow(
      "foo 1.0 for Python 3.11 on arm64 Linux: the package index has no wheel that fits",
    );
    await require({ "foo==1.0": ["0".repeat(64)] });
    await expect(stage("x86_64")).rejects.toThrow("no file with one of the hashes in requirements.txt");
    await require({ "bar==1.0": ["0".repeat(64)] });
    await expect(stage()).rejects.toThrow(`the package index ${index.url} has no package bar`);
  });

  test("says that the index can't be reached, and that the requirements aren't there", async () => {
    index = await startIndex("html");
    index.close();
    await require({ "foo==1.0": ["0".repeat(64)] });
    await expect(stage()).rejects.toThrow(/\/simple\/foo\/ can't be reached: ECONNREFUSED/);
    await lake.clear();
    const address = lake.store.address(`${prefix}/requirements.txt`);
    await expect(stage()).rejects.toThrow(`${address} can't be read`);
  });

  test("keeps credentials out of errors and state", async () => {
    index = await startIndex("html");
    await require({ "foo==1.0": ["0".repeat(64)] });
    const packageIndex = "https://user:secret@example.org/simple";
    await expect(stage("arm64", packageIndex)).rejects.toThrow(/^packageIndex holds credentials/);
  });
}

describe("staging into S3", () => staging("S3"));
describe("staging into Google Cloud Storage", { tags: ["go"] }, () => staging("Google Cloud Storage"));

const realIndex = (process.env.PIP_INDEX_URL ?? "https://pypi.org/simple").replace(/\/+$/, "");
const asked = () => fetch(`${realIndex}/joblib/`, { signal: AbortSignal.timeout(10_000) });
const reachable = await retry(asked, { tries: 3, isTransient: () => true }).then(
  ({ ok }) => ok,
  () => false,
);

describe.skipIf(!reachable)("the package index of this machine", () => {
  test.each(["arm64", "x86_64"] as const)(
    "has all wheels of job xo for %s",
    { timeout: 120_000 },
    async (architecture) => {
      const text = await readFile(new URL("../../../assets/jobs/xo/requirements.txt", import.meta.url), "utf8");
      const pins = readRequirements(text, nodeEnvironment(architecture));
      const wheels: string[] = [];
      for (const pin of pins) wheels.push(chooseFile(await listFiles(realIndex, pin.name), pin, architecture).name);
      expect(pins.map(({ name }) => name)).toEqual(
        expect.arrayContaining(["numpy", "scipy", "scikit-learn", "joblib"]),
      );
      const native = wheels.filter((wheel) => !wheel.endsWith("-none-any.whl"));
      expect(native.length).toBeGreaterThanOrEqual(3);
      for (const wheel of native) expect(wheel).toMatch(architecture === "arm64" ? /aarch64\.whl$/ : /x86_64\.whl$/);
    },
  );
});
