import { open } from "node:fs/promises";
import { LakeFolder } from "../../assets/dashboard/lake/folder.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { findRun } from "../../provider/cluster.ts";
import type { ClusterCommands } from "../platform.ts";

/** The commands of a local cluster: everything is in the lake's folder. */
export function localCommands(lake: string): ClusterCommands {
  const places = lakeLayout(lake);
  return {
    lake,
    pollMs: 250,
    status: async (run) => findRun(lake, run)?.status,
    async log(run, step, from) {
      const file = await open(places.log(run, step)).catch(() => undefined);
      if (!file) return { text: "", next: from };
      try {
        const { size } = await file.stat();
        const buffer = Buffer.alloc(Math.max(0, size - from));
        await file.read(buffer, 0, buffer.length, from);
        return { text: buffer.toString("utf8"), next: from + buffer.length };
      } finally {
        await file.close();
      }
    },
    partFiles: (run, table) => new LakeFolder(lake).partFiles(table, run),
  };
}
