/** Hadoop as assets/images/hdfs has it, for tests that start it as plain processes. */
import { fileURLToPath } from "node:url";
import { software } from "../provider/software.ts";

const LOCK = fileURLToPath(new URL("../assets/images/hdfs/jars.txt", import.meta.url));

/** Its folder, with `lib` and `webapps`: fetched once and kept in the user's cache, where a fleet has it too. */
export async function hadoopHome(): Promise<string> {
  const { outs } = await software.create("", { name: "hadoop", lock: LOCK });
  return outs.folder;
}
