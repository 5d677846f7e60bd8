/** The page of scoring is a folder that is run as it is; what it shares with the dashboard is compared. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string) => readFileSync(new URL(`../../assets/${path}`, import.meta.url), "utf8");

/** Variables of a style sheet, light ones and dark ones, in their order. */
const colours = (css: string) => [...css.matchAll(/^ +--[\w-]+: [^;]+;/gm)].map(([line]) => line.trim());

test("the page has the dashboard's colours and icon", () => {
  const [ours, theirs] = [read("scoring/page/page.css"), read("dashboard/page/style.css")].map(colours);
  expect(ours).toEqual(theirs);
  expect(ours).toHaveLength(31);
  expect(read("scoring/page/icon.svg")).toBe(read("dashboard/page/icon.svg"));
});

test("the page makes no markup of what it shows, and asks nobody else", () => {
  const script = read("scoring/page/page.js");
  expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b/);
  for (const file of ["index.html", "page.css", "page.js"])
    expect(read(`scoring/page/${file}`).replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:/);
});
