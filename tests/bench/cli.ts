/** How long commands take, and beyond Node itself: of a checkout and of the packed command, not through npx. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installInto } from "../packed.ts";
import { makeProject } from "../project.ts";
import { quickJava } from "../spark/quick-java.ts";
import { secondsToCancel } from "./cancel.ts";
import type { Figure } from "./index.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TIMES = 20;
const HELP_MS = 150;
const STATUS_MS = 400;
const CANCELS = 5;
const CANCEL_SECONDS = 3;

export async function cli(): Promise<readonly Figure[]> {
  const home = mkdtempSync(join(tmpdir(), "oneoff-bench-"));
  const project = makeProject(quickJava());
  try {
    mkdirSync(join(home, "packed"));
    const modules = installInto(join(home, "packed"));
    const packed = join(modules, "pulumi-oneoff", "cli", "oneoff.mjs");
    const checkout = join(ROOT, "cli", "oneoff.mjs");
    const port = await freePort();
    await project.oneoff("env");
    await project.mustPulumi(
      ...["config", "set-all", "--stack", "local"],
      ...["oneoff:rows=600", "oneoff:seeds=1", "oneoff:hidden=3", `oneoff:port=${port}`].flatMap((set) => [
        "--plaintext",
        set,
      ]),
    );
    const started = await project.oneoff("start");
    if (started.code !== 0) throw new Error(started.output);
    const run = (program: string, ...args: readonly string[]) =>
      spawnSync(process.execPath, [program, ...args], { cwd: project.folder, env: project.env, encoding: "utf8" });
    const figures: Figure[] = [];
    for (const [where, program] of [
      ["checkout", checkout],
      ["packed", packed],
    ] as const) {
      const more = (...args: readonly string[]) => beyondNode(() => run(program, ...args), project.env);
      figures.push(
        {
          what: `oneoff --help, ${where}`,
          measured: `${more("--help")} ms more than node -e 0`,
          aim: `<= ${HELP_MS} ms`,
        },
        {
          what: `oneoff status local, ${where}`,
          measured: `${more("status", "local")} ms more`,
          aim: `<= ${STATUS_MS} ms`,
        },
      );
    }
    const cancelled = await secondsToCancel(join(home, "sleeper"), modules, CANCELS);
    figures.push({
      what: "oneoff cancel local --yes, packed, until no process of the run is left",
      measured: `${cancelled.toFixed(1)} s`,
      aim: `<= ${CANCEL_SECONDS} s`,
    });
    return figures;
  } finally {
    await project.oneoff("destroy");
    project.remove();
    rmSync(home, { recursive: true, force: true });
  }
}

/** Median, in milliseconds, of what something takes beyond an empty Node, each measured right after the other. */
function beyondNode(
  run: () => { readonly status: number | null; readonly stderr: string },
  env: NodeJS.ProcessEnv,
): number {
  const took = (act: () => { readonly status: number | null; readonly stderr: string }) => {
    const before = performance.now();
    const { status, stderr } = act();
    if (status !== 0) throw new Error(stderr);
    return performance.now() - before;
  };
  took(run); // caches are warm from the second time on
  const node = () => spawnSync(process.execPath, ["-e", "0"], { env, encoding: "utf8" });
  const more = Array.from({ length: TIMES }, () => took(run) - took(node)).sort((a, b) => a - b);
  return Math.round(more[TIMES / 2] as number);
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number };
      server.close(() => resolve(port));
    });
  });
