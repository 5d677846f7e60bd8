/** Hadoop as assets/images/hdfs has it: what its Dockerfile fetches, for processes of this machine. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { unzipSync } from "fflate";

/** As the Dockerfiles have it; MAVEN names another repository that has the same. */
const MAVEN = "https://repo1.maven.org/maven2";
/** What of the tests' jar is wanted: its web pages. */
const PAGES = /^webapps\/(hdfs|datanode|static)\//;
const AT_ONCE = 8;

/**
 * Fills a folder with `lib` and `webapps`.
 *
 * @param lock path of a jars.txt: lines of a SHA-256 and a path in a Maven repository.
 * @param told is called with how many of how many are there.
 * @throws Error when one can't be fetched, or is not what the lock says.
 */
export async function fetchJars(folder: string, lock: string, told?: (done: number, all: number) => void) {
  mkdirSync(join(folder, "lib"), { recursive: true });
  const all = readFileSync(lock, "utf8").trim().split("\n");
  const left = [...all];
  let done = 0;
  const fetchNext = async (): Promise<void> => {
    for (let line = left.pop(); line !== undefined; line = left.pop()) {
      await place(folder, line);
      told?.(++done, all.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fetchNext));
}

async function place(folder: string, line: string): Promise<void> {
  const [digest, path] = line.split(/ +/) as [string, string];
  const address = `${process.env.MAVEN?.replace(/\/+$/, "") ?? MAVEN}/${path}`;
  const content = await download(address);
  const found = createHash("sha256").update(content).digest("hex");
  if (found !== digest) throw new Error(`${address} has the SHA-256 ${found} and not ${digest}: it is another file`);
  if (!path.endsWith("-tests.jar")) return writeFileSync(join(folder, "lib", basename(path)), content);
  for (const [name, page] of Object.entries(unzipSync(content, { filter: ({ name }) => PAGES.test(name) }))) {
    if (name.endsWith("/")) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), page);
  }
}

async function download(address: string): Promise<Uint8Array> {
  try {
    const response = await fetch(address);
    if (response.ok) return await response.bytes();
    throw new Error(`status ${response.status}`);
  } catch (error) {
    const why = ((error as Error).cause ?? error) as Error;
    throw new Error(
      `${address} can't be fetched (${why.message}): set the environment variable MAVEN to a Maven repository that can be reached`,
    );
  }
}
