import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Panel } from "../../../core/panel.ts";
import { pageFolder } from "../page-files.ts";
import type { Problem } from "./problem.ts";

/** What of Vega-Lite is used here. */
interface VegaLite {
  compile(spec: unknown, options: { readonly logger: Logger }): unknown;
}

interface Logger {
  level(): Logger;
  error(...told: readonly unknown[]): Logger;
  warn(...told: readonly unknown[]): Logger;
  info(): Logger;
  debug(): Logger;
}

/** Has Vega-Lite compile each chart; undefined where there is none, neither in the built page nor as a package. */
export async function compiled(panels: readonly Panel[]): Promise<readonly Problem[] | undefined> {
  const vegaLite = await load();
  return vegaLite && panels.flatMap((panel) => [...compile(vegaLite, panel)]);
}

function* compile(vegaLite: VegaLite, { name, chart }: Panel): Generator<Problem> {
  const told: string[] = [];
  const tell = (...words: readonly unknown[]) => {
    told.push(words.join(" "));
    return logger;
  };
  const logger: Logger = { level: () => logger, info: () => logger, debug: () => logger, warn: tell, error: tell };
  const clause = (text: string) => text.replace(/\.$/, "");
  try {
    vegaLite.compile({ ...chart, data: { name: "rows" } }, { logger });
  } catch (error) {
    yield {
      panel: name,
      what: `has a chart that Vega-Lite can't compile, ${clause((error as Error).message)}`,
      cure: "correct its chart",
    };
  }
  for (const words of new Set(told)) {
    yield {
      panel: name,
      what: `has a chart of which Vega-Lite says, ${clause(words)}`,
      cure: "look at it",
      isHint: true,
    };
  }
}

/** The page's own, which comes with the package; where the page isn't built, the package that it is built of. */
async function load(): Promise<VegaLite | undefined> {
  const built = join(pageFolder(), "vega.js");
  try {
    return (await import(existsSync(built) ? pathToFileURL(built).href : "vega-lite")) as VegaLite;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
