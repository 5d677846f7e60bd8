import type { Config } from "vega-lite";

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/** Okabe and Ito's colours, which people tell apart however they see colour; on dark ground a little lighter. */
const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b7280"];
const DARK = ["#56b4e9", "#f0803c", "#2cc295", "#e39bc1", "#f0b93a", "#8fb8ff", "#9aa4b2"];

const dark = matchMedia("(prefers-color-scheme: dark)");

export const isDark = (): boolean => dark.matches;

/** Calls back whenever the system changes between light and dark. */
export const onThemeChange = (changed: () => void): void => dark.addEventListener("change", changed);

/** Vega-Lite's configuration for the colours of the moment. */
export function chartConfig(): Config {
  const [text, muted, line, palette] = dark.matches
    ? ["#e7eaf0", "#a3adba", "#2c333d", DARK]
    : ["#1b1f27", "#565f6d", "#e6e9ee", LIGHT];
  return {
    // Descriptions of single marks cost much and are not on a canvas; the picture as a whole has one.
    aria: false,
    background: "transparent",
    font: FONT,
    padding: 2,
    view: { stroke: "transparent" },
    range: { category: palette },
    mark: { color: palette[0] as string },
    text: { color: text, fontSize: 12 },
    rule: { color: muted },
    axis: {
      domainColor: line,
      gridColor: line,
      tickColor: line,
      labelColor: muted,
      titleColor: muted,
      labelFontSize: 11,
      titleFontSize: 12,
      titleFontWeight: 500,
      titlePadding: 8,
      labelPadding: 5,
      tickSize: 4,
      labelOverlap: "greedy",
    },
    legend: {
      orient: "top",
      direction: "horizontal",
      labelColor: text,
      titleColor: muted,
      labelFontSize: 12,
      titleFontSize: 12,
      titleFontWeight: 500,
      symbolSize: 90,
      symbolOpacity: 1,
      offset: 6,
    },
    title: { color: text, fontSize: 13, fontWeight: 600 },
  };
}
