/** All of the command line that needs the AWS SDK. */
export { accountChecks } from "./doctor.ts";
export { emrCommands } from "./emr/cluster.ts";
export { s3Files } from "./files.ts";
export { findLeftovers } from "./leftovers/find.ts";
export { openPage } from "./open.ts";
