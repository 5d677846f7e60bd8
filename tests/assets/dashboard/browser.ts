import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";

const PICTURES = join(import.meta.dirname, "../../pictures");

export { launch } from "../../chromium.ts";

/** A page, and everything that it complained of. */
export interface Watched {
  readonly page: Page;
  /** Errors, warnings and violations of the content security policy. */
  readonly complaints: readonly string[];
}

export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({
    viewport: { width: 1400, height: 900 },
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    // That pixels are read is the tests' doing.
    const own = message.text().startsWith("Canvas2D: Multiple readback");
    if (["error", "warning"].includes(message.type()) && !own) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, complaints };
}

/** Keeps a picture of the whole page, to be looked at. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `dashboard-${name}.png`), fullPage: true });
}

/** A panel by its name. */
export const panel = (page: Page, name: string) => page.locator(`section[aria-labelledby="panel-${name}"]`);

/** Waits until something is so; a page on a busy machine takes a while. */
export const soon = <T>(read: () => T) => expect.poll(read, { timeout: 10_000, interval: 40 });

// Functions that run in the page take elements as they come: the DOM's types are the page's, not those of the tests.

/** A digest of the pixels of a panel's canvas. */
export async function pixels(page: Page, name: string, figure = 0): Promise<string> {
  const canvas = panel(page, name).locator("canvas").nth(figure);
  return createHash("sha256")
    .update(await canvas.evaluate((element) => element.toDataURL()))
    .digest("hex");
}

/** Waits until a panel's picture is not this one. @returns the new one. */
export async function otherPixels(page: Page, name: string, than: string): Promise<string> {
  await soon(() => pixels(page, name)).not.toBe(than);
  return pixels(page, name);
}

/** Remembers a panel's picture in the page, for `changed`. */
export const remember = (page: Page, name: string): Promise<void> =>
  panel(page, name)
    .locator("canvas")
    .evaluate((canvas) => {
      canvas.remembered = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    });

/** The part of a panel's pixels that look other than remembered. Where a picture was mended, edges differ by a shade. */
export const changed = (page: Page, name: string): Promise<number> =>
  panel(page, name)
    .locator("canvas")
    .evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) {
        if ([0, 1, 2, 3].some((j) => Math.abs(data[i + j] - canvas.remembered[i + j]) > 48)) count += 1;
      }
      return (4 * count) / data.length;
    });
