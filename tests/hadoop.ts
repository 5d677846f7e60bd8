/** Hadoop as assets/images/hdfs has it, for tests that start it as plain processes. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import { CACHE } from "./cache.ts";

const LOCK = fileURLToPath(new URL("../assets/images/hdfs/jars.txt", import.meta.url));
/** As its Dockerfile has it, a Maven repository; MAVEN names another. */
const MAVEN = process.env.MAVEN ?? "https://repo1.maven.org/maven2";
const PAGES = /^webapps\/(hdfs|datanode|static)\//;
const AT_ONCE = 8;
/** One that no test has asked for in so many days is removed when another is made. */
const KEPT_DAYS = 14;

/** Its folder, with `lib` and `webapps`: fetched once and kept in the user's cache. */
export async function hadoopHome(): Promise<string> {
  const lock = readFileSync(LOCK, "utf8");
  const home = join(CACHE, `hadoop-${createHash("sha256").update(lock).digest("hex").slice(0, 16)}`);
  if (!existsSync(home)) await make(home, lock);
  utimesSync(home, new Date(), new Date());
  return home;
}

async function make(home: string, lock: string): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  removeUnused();
  const fresh = mkdtempSync(`${home}.`);
  try {
    mkdirSync(join(fresh, "lib"));
    const jars = lock.trim().split("\n");
    const fetchNext = async (): Promise<void> => {
      for (let line = jars.pop(); line !== undefined; line = jars.pop()) await place(fresh, line);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, fetchNext));
    if (!existsSync(home)) renameSync(fresh, home); // else another test was faster
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Puts a jar, "sha256  path", to the others; of the tests' jar its pages alone. */
async function place(home: string, line: string): Promise<void> {
  const [digest, path] = line.split(/ +/) as [string, string];
  const content = await download(`${MAVEN}/${path}`);
  const found = createHash("sha256").update(content).digest("hex");
  if (found !== digest) throw new Error(`${MAVEN}/${path} has the sha256 ${found} and not ${digest}`);
  if (!path.endsWith("-tests.jar")) return writeFileSync(join(home, "lib", basename(path)), content);
  for (const [name, page] of Object.entries(unzipSync(content, { filter: ({ name }) => PAGES.test(name) }))) {
    if (name.endsWith("/")) continue;
    mkdirSync(dirname(join(home, name)), { recursive: true });
    writeFileSync(join(home, name), page);
  }
}

async function download(url: string): Promise<Uint8Array> {
  try {
    const response = await fetch(url);
    if (response.ok) return await response.bytes();
    throw new Error(`status ${response.status}`);
  } catch (error) {
    const why = (error as Error).cause ?? error;
    throw new Error(
      `${url} can't be fetched (${(why as Error).message}): set MAVEN to a Maven repository that can be reached`,
    );
  }
}

function removeUnused(): void {
  const before = Date.now() - KEPT_DAYS * 86_400_000;
  for (const name of readdirSync(CACHE).filter((name) => name.startsWith("hadoop-"))) {
    const path = join(CACHE, name);
    if ((statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? before) < before) rmSync(path, { recursive: true });
  }
}
