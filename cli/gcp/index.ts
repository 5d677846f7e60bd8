/** All of the command line that needs Google's client libraries. */
export { dataprocCommands } from "./dataproc.ts";
export { projectChecks } from "./doctor.ts";
export { findLeftovers } from "./leftovers.ts";
export { openPage } from "./open.ts";
