/** The jobs that come with the package. */
export { type XoArgs, xo } from "./xo/index.ts";
