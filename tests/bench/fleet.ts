/**
 * A fleet: how long it takes to come up; and on this machine how fast flows are scored, a data set is pushed to HDFS, beside by hand,
 * a data node is decommissioned, and networks are trained.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hdfs } from "../fleet/hdfs.ts";
import { deployFleet } from "./deploy.ts";
import type { Figure } from "./index.ts";
import { nids } from "./nids.ts";
import { scoring } from "./scoring.ts";

const MB = 1_000_000;
/** Half of each file compresses by half, as tables do. */
const content = (bytes: number) => Buffer.from(randomBytes(bytes / 2).toString("hex"), "latin1");

export const fleet = async (): Promise<readonly Figure[]> => [
  ...(await deployFleet()),
  ...scoring(),
  ...(await ofHdfs()),
  ...(await nids()),
];

async function ofHdfs(): Promise<readonly Figure[]> {
  const work = mkdtempSync(join(tmpdir(), "oneoff-bench-"));
  const hdfs = await Hdfs.start(4, 2);
  try {
    await accepted(hdfs.setNodes(hdfs.nodes));
    const large = archive(work, "large", 4, 250 * MB);
    const small = archive(work, "small", 10_000, 10_000);
    const figures: Figure[] = [];
    // The large one twice by either way: what is first has pages and classes to load.
    figures.push(...(await push(hdfs, work, "1 GB in 4 files", large, 2)));
    figures.push(...(await push(hdfs, work, "10,000 files of 10 kB", small, 1)));
    hdfs.dfs("-rm", "-r", "-skipTrash", "/small", "/small-by-hand", "/large-by-hand", "/large");
    await accepted(hdfs.push(large, "/one"));
    await accepted(hdfs.push(large, "/two"));
    return [...figures, await decommission(hdfs, work)];
  } finally {
    await hdfs.remove();
    rmSync(work, { recursive: true, force: true });
  }
}

/** A gzipped tar of so many files. */
function archive(work: string, name: string, files: number, bytes: number): string {
  const folder = join(work, name);
  mkdirSync(folder);
  for (let number = 0; number < files; number++) writeFileSync(join(folder, `${number}.csv`), content(bytes));
  const path = join(work, `${name}.tgz`);
  execFileSync("tar", ["-C", folder, "-czf", path, "."]);
  rmSync(folder, { recursive: true });
  return path;
}

async function push(hdfs: Hdfs, work: string, what: string, source: string, times: number): Promise<readonly Figure[]> {
  const target = `/${source.split("/").at(-1)?.replace(".tgz", "")}`;
  let [ours, byHand] = [Infinity, Infinity];
  for (let time = 0; time < times; time++) {
    hdfs.dfs("-rm", "-r", "-f", "-skipTrash", target, `${target}-by-hand`);
    const unpacked = join(work, "unpacked");
    byHand = Math.min(
      byHand,
      await seconds(async () => {
        mkdirSync(unpacked);
        execFileSync("tar", ["-C", unpacked, "-xzf", source]);
        hdfs.dfs("-put", unpacked, `${target}-by-hand`);
      }),
    );
    rmSync(unpacked, { recursive: true });
    ours = Math.min(ours, await seconds(() => accepted(hdfs.push(source, target))));
  }
  return [
    { what: `fleet push, ${what}`, measured: `${ours.toFixed(1)} s` },
    { what: "tar xzf and hdfs dfs -put by hand", measured: `${byHand.toFixed(1)} s` },
    { what: "by hand / fleet push", measured: (byHand / ours).toFixed(2), aim: ">= 0.8" },
  ];
}

async function decommission(hdfs: Hdfs, work: string): Promise<Figure> {
  execFileSync("sync");
  const kept = hdfs.nodes.slice(0, -1);
  const leaves = await seconds(() => accepted(hdfs.setNodes(kept)));
  execFileSync("sync");
  const copied = await seconds(async () => {
    execFileSync("cp", ["-r", hdfs.blocks(hdfs.nodes.length), join(work, "copied")]);
    execFileSync("sync");
  });
  return {
    what: "one of four data nodes leaves, of 2 GB in HDFS: speed, beside copying the same bytes",
    measured: `${(copied / leaves).toFixed(2)} (${leaves.toFixed(1)} s, ${copied.toFixed(1)} s)`,
    aim: ">= 0.3",
  };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

async function accepted(ended: Promise<{ readonly code: number | null; readonly err: string }>): Promise<void> {
  const { code, err } = await ended;
  if (code !== 0) throw new Error(err);
}
