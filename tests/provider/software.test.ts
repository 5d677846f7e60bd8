/** Software that is fetched: from a repository that is on this machine, and not what it ought to be. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strToU8, zipSync } from "fflate";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { secret } from "../../provider/secret.ts";
import { software } from "../../provider/software.ts";

const PAGES = zipSync({ "webapps/hdfs/index.html": strToU8("a page"), "org/Test.class": strToU8("no page") });
const FILES: Readonly<Record<string, Uint8Array>> = {
  "/org/one/1/one-1.jar": strToU8("one"),
  "/org/two/2/two-2-tests.jar": PAGES,
};

let home: string;
let maven: Server;
let asked: string[];
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "oneoff-software-"));
  asked = [];
  maven = createServer(({ url = "" }, response) => {
    asked.push(url);
    const found = FILES[url];
    response.writeHead(found ? 200 : 404).end(found);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => maven.once("listening", resolve));
  vi.stubEnv("XDG_CACHE_HOME", home);
  vi.stubEnv("MAVEN", `http://127.0.0.1:${(maven.address() as AddressInfo).port}/`);
});
afterEach(() => {
  maven.close();
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

function lockOf(files: Readonly<Record<string, Uint8Array>>): string {
  const line = ([path, content]: readonly [string, Uint8Array]) =>
    `${createHash("sha256").update(content).digest("hex")}  ${path.slice(1)}\n`;
  const lock = join(home, "jars.txt");
  writeFileSync(lock, Object.entries(files).map(line).join(""));
  return lock;
}
const kept = () => readdirSync(join(home, "pulumi-oneoff"));

test("jars are fetched once, pages of a tests' jar unpacked, and another lock is another folder", async () => {
  const inputs = { name: "hadoop", lock: lockOf(FILES) };
  expect(software.check("", inputs)).toEqual([]);
  const { id, outs } = await software.create("", inputs);
  expect(id).toBe(outs.folder);
  expect(readFileSync(join(id, "lib/one-1.jar"), "utf8")).toBe("one");
  expect(readFileSync(join(id, "webapps/hdfs/index.html"), "utf8")).toBe("a page");
  expect(readdirSync(id).sort()).toEqual(["lib", "webapps"]);
  expect(readdirSync(join(id, "lib"))).toEqual(["one-1.jar"]);
  expect(asked).toHaveLength(2);

  expect((await software.create("", inputs)).outs).toEqual(outs);
  expect(asked).toHaveLength(2);
  expect(software.diff(outs, inputs)).toEqual({ changes: false });
  expect(await software.read(outs)).toEqual(outs);
  await software.delete(outs);
  expect(existsSync(id)).toBe(true);

  lockOf({ "/org/one/1/one-1.jar": strToU8("one") });
  expect(software.diff(outs, inputs)).toEqual({ changes: true });
  const other = await software.update(outs, inputs);
  expect(
    kept()
      .map((name) => join(home, "pulumi-oneoff", name))
      .sort(),
  ).toEqual([id, other.folder].sort());
  rmSync(other.folder, { recursive: true });
  expect(software.diff(other, inputs)).toEqual({ changes: true });
  expect(await software.read(other)).toBeUndefined();
});

test.each([
  ["another file", { "/org/one/1/one-1.jar": strToU8("two") }, /one-1.jar has the SHA-256 7692c3ad.* and not 3fc4ccfe/],
  [
    "no file",
    { "/org/no.jar": strToU8("") },
    /no.jar can't be fetched \(status 404\): set the environment variable MAVEN/,
  ],
])("%s is an error that says so, and nothing is kept", async (_, files, message) => {
  await expect(software.create("", { name: "hadoop", lock: lockOf(files) })).rejects.toThrow(message);
  expect(kept()).toEqual([]);
});

test("Python packages are pip's business, and its last words those of the error", async () => {
  const python = join(home, "python");
  const lock = lockOf({});
  mkdirSync(join(home, "seen"));
  writeFileSync(python, `#!/bin/sh\necho "$@" > '${home}/seen/words'\neval $(cat '${home}/act')\n`, { mode: 0o755 });
  writeFileSync(join(home, "act"), "echo ERROR: the moon is full >&2; exit 1");
  await expect(software.create("", { name: "jupyterlab", lock, python })).rejects.toThrow(
    `${lock} could not be installed for ${python}:\nERROR: the moon is full`,
  );
  expect(kept()).toEqual([]);
  writeFileSync(join(home, "act"), "true");
  const { outs } = await software.create("", { name: "jupyterlab", lock, python });
  expect(readFileSync(join(home, "seen/words"), "utf8")).toContain("--require-hashes --no-deps --target");
  expect(existsSync(outs.folder)).toBe(true);
  expect(software.diff(outs, { name: "jupyterlab", lock, python: "/another" })).toEqual({ changes: true });
});

test("a secret is made once, long, and another for each resource", async () => {
  const [one, two] = await Promise.all(["urn::one", "urn::two"].map((urn) => secret.create(urn, {})));
  expect(one?.outs.value).toMatch(/^[\w-]{32}$/);
  expect(one?.outs.value).not.toBe(two?.outs.value);
  expect(secret.diff(one?.outs, {})).toEqual({ changes: false });
});
