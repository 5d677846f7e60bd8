/** The files of the dashboard's page, as it is built. */
export const PAGE: readonly string[] = ["icon.svg", "index.html", "page.js", "style.css", "vega.js"];
