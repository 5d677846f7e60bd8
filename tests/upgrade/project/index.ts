import { LocalCluster, LocalDashboard, LocalLake } from "pulumi-oneoff/local";
import { words } from "./words.ts";

const lake = new LocalLake("lake", { job: words, path: "results" });
const cluster = new LocalCluster("cluster", {
  job: words,
  lake,
  lifetime: { deadline: "20 minutes" },
  cores: 1,
  memory: "512 MB",
});
export const { runId, logs } = cluster;
export const url = new LocalDashboard("dashboard", { job: words, lake, port: Number(process.env.BEFORE_PORT) }).url;
