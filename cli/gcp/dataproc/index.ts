/** All of the kind that needs Google's client libraries. */
export { attach } from "./cluster.ts";
export { part } from "./part.ts";
