/** All of the kind that needs the AWS SDK. */
export { attach } from "./cluster.ts";
export { part } from "./part.ts";
