/** The local stack from `npm start` to `npm run destroy`, with the settings it has by default. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lakeLayout } from "../../core/lake-layout.ts";
import { registered } from "../../provider/process.ts";
import { makeProject, type Outcome } from "../project.ts";
import type { Figure } from "./index.ts";
import { peakMemory } from "./memory.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const PORT = "18765";

export async function stack(): Promise<readonly Figure[]> {
  const setup = timed(() => spawnSync("node", ["engine/setup.mjs", "--", "true"], { cwd: root }));
  const project = makeProject();
  try {
    await project.mustPulumi("stack", "init", "local");
    await project.mustPulumi("config", "set", "oneoff:port", PORT, "--stack", "local");
    const preview = await seconds(() => project.pulumi("preview", "--stack", "local"));
    const places = lakeLayout(join(project.folder, ".oneoff", "lake"));
    const memory = peakMemory({
      run: () => registered(places.cluster("1"))?.pid,
      dashboard: () => registered(places.dashboard("dashboard"))?.pid,
    });
    const started = await seconds(async () => {
      const outcome = await project.oneoff("start");
      await filled();
      return outcome;
    });
    const peaks = memory.stop();
    const destroy = await seconds(() => project.oneoff("destroy"));
    return [
      { what: "warm set-up", measured: `${setup.toFixed(1)} s`, aim: "< 1 s" },
      {
        what: "npm start to results and a filled dashboard",
        measured: `${(setup + started).toFixed(1)} s`,
        aim: "<= 60 s",
      },
      { what: "preview", measured: `${preview.toFixed(1)} s`, aim: "<= 5 s" },
      { what: "destroy", measured: `${destroy.toFixed(1)} s`, aim: "<= 10 s" },
      { what: "peak memory of the run, all processes", measured: `${peaks.run} MB` },
      { what: "peak memory of the dashboard", measured: `${peaks.dashboard} MB` },
    ];
  } finally {
    await project.oneoff("destroy");
    project.remove();
  }
}

/** Waits until every panel has rows. */
async function filled(): Promise<void> {
  const address = `http://127.0.0.1:${PORT}/api`;
  const { panels } = (await (await fetch(`${address}/job`)).json()) as { panels: { name: string }[] };
  for (const { name } of panels) {
    const { rows } = (await (await fetch(`${address}/panels/${name}?run=1`)).json()) as { rows: number };
    if (!(rows > 0)) throw new Error(`panel ${name} has no rows`);
  }
}

function timed(action: () => unknown): number {
  const before = performance.now();
  action();
  return (performance.now() - before) / 1000;
}

async function seconds(action: () => Promise<Outcome>): Promise<number> {
  const before = performance.now();
  const { code, output } = await action();
  if (code !== 0) throw new Error(output);
  return (performance.now() - before) / 1000;
}
