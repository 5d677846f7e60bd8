/** All of the command line that needs Google's client libraries. */
export { dataprocCommands } from "./dataproc/cluster.ts";
export { projectChecks } from "./doctor.ts";
export { findLeftovers } from "./leftovers/find.ts";
export { openPage } from "./open.ts";
