/** All of the platform that needs Google's client libraries. */
export { projectChecks } from "./doctor.ts";
export { openLake } from "./lake.ts";
export { search } from "./leftovers/find.ts";
