/** Takes the README's picture of the dashboard that runs at the address given: node tests/docs/picture.ts [address] */
import { fileURLToPath } from "node:url";
import { launch } from "../chromium.ts";

const address = process.argv[2] ?? "http://127.0.0.1:8765";
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1 });
await page.goto(address);
await page.locator("canvas, svg.marks").first().waitFor();
await page.waitForTimeout(1500);
await page.screenshot({ path: fileURLToPath(new URL("../../docs/dashboard.png", import.meta.url)), fullPage: true });
await browser.close();
