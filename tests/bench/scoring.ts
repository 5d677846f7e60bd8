/** The scoring application on one core, beside a loop that reads the same bytes and runs the same network. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Figure } from "./index.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

interface Measured {
  /** For each second that the core worked. */
  readonly flows: number;
  /** Milliseconds. */
  readonly p99: number;
}

export function scoring(): readonly Figure[] {
  const out = execFileSync(here("../../.oneoff/venv/bin/python"), [here("score_load.py")], { encoding: "utf8" });
  const found = JSON.parse(out) as Record<string, { readonly app: Measured; readonly loop: Measured }>;
  return Object.entries(found).flatMap(([size, { app, loop }]) => {
    const flows = `${Number(size).toLocaleString("en")} ${size === "1" ? "flow" : "flows"} a batch`;
    return [
      { what: `scoring application, ${flows}, a core`, measured: told(app) },
      { what: `a loop around the network, ${flows}, a core`, measured: told(loop) },
      {
        what: `application / loop, ${flows}`,
        measured: (app.flows / loop.flows).toFixed(2),
        ...(size === "1000" && { aim: ">= 0.7" }),
      },
    ];
  });
}

const told = ({ flows, p99 }: Measured): string =>
  `${Math.round(flows).toLocaleString("en")} flows/s, p99 ${p99.toFixed(1)} ms`;
