/**
 * Spark's JVMs in tests live for seconds, which they spend on loading classes and on compiling what runs once. With the quick
 * compiler, and with classes from an archive (JEP 350) of what such a JVM has loaded, they need half the time.
 */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const python = join(root, ".oneoff/venv/bin/python");
const QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/** Where the archive is or will be: another Java or Spark needs another. */
function archive(): string {
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, "bin/java") : "java";
  const version = execFileSync(java, ["-Xinternalversion"], { encoding: "utf8" });
  const find = ["-c", "from importlib.util import find_spec; print(find_spec('pyspark').origin)"];
  const jars = join(dirname(execFileSync(python, find, { encoding: "utf8" })), "jars");
  const hash = createHash("sha256").update(JSON.stringify([version, QUICK, jars, statSync(jars).mtimeMs]));
  return join(root, ".oneoff/jars", `spark-${hash.digest("hex").slice(0, 16)}.jsa`);
}

/** The environment that has a JVM be quick. Without an archive, or with another class path, it does without. */
export const quickJava = () => ({
  JDK_JAVA_OPTIONS: `${QUICK} "-XX:SharedArchiveFile=${archive()}" -Xlog:disable`,
});

/** Makes the archive, unless it is there, while the first tests run; returns what breaks that off. */
export function makeArchive(): () => void {
  if (!existsSync(python)) return () => {}; // without set-up nothing starts Spark
  const path = archive();
  if (existsSync(path)) return () => {};
  mkdirSync(dirname(path), { recursive: true });
  for (const old of globSync(join(dirname(path), "spark-*.jsa"))) rmSync(old, { force: true });
  const folder = mkdtempSync(join(tmpdir(), "oneoff-classes-"));
  const fresh = `${path}.${process.pid}`;
  const spark = ["--master", "local[1]", "--conf", "spark.ui.enabled=false"];
  const script = fileURLToPath(new URL("classes.py", import.meta.url));
  const child = spawn(join(dirname(python), "spark-submit"), [...spark, script, join(folder, "table")], {
    cwd: folder,
    env: {
      ...process.env,
      PYSPARK_PYTHON: python,
      PYSPARK_DRIVER_PYTHON: python,
      JDK_JAVA_OPTIONS: QUICK,
      SPARK_SUBMIT_OPTS: `"-XX:ArchiveClassesAtExit=${fresh}"`,
    },
    detached: true, // a process group of its own
    stdio: "ignore",
  });
  child.once("exit", (code) => {
    rmSync(folder, { recursive: true, force: true });
    if (code === 0 && existsSync(fresh)) renameSync(fresh, path);
    else rmSync(fresh, { force: true });
  });
  return () => {
    if (child.pid && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGKILL");
  };
}
