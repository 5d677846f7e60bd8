/** Vega, fetched and read while the page is set up and its first rows are on their way. It is a bundle of its own. */
export const vega = import("./vega.js");
export type Vega = typeof import("./vega.ts");
