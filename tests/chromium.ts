import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** Where set-up found a Chromium, and where Debian puts one. */
function executable(): string {
  const recorded = fileURLToPath(new URL("../.oneoff/chromium", import.meta.url));
  if (process.env.ONEOFF_CHROMIUM) return process.env.ONEOFF_CHROMIUM;
  return existsSync(recorded) ? readFileSync(recorded, "utf8").trim() : "/usr/bin/chromium";
}

export const launch = (): Promise<Browser> => chromium.launch({ executablePath: executable(), args: FLAGS });
