/** All of the platform that needs the AWS SDK. */
export { accountChecks } from "./doctor.ts";
export { openLake } from "./lake.ts";
export { findLeftovers } from "./leftovers/find.ts";
