/** What needs a cloud's SDK, loaded when it is asked for. The published package has it bundled, so this is the only way in. */
export const aws = () => import("./aws/index.ts");
export const google = () => import("./gcp/index.ts");
