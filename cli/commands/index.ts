/** The commands there are, by their names: a new one is a line here. */
export { check } from "./check.ts";
export { cost } from "./cost.ts";
export { destroy } from "./destroy.ts";
export { doctor } from "./doctor.ts";
export { env } from "./env.ts";
export { get } from "./get.ts";
export { leftovers } from "./leftovers.ts";
export { open } from "./open.ts";
export { run } from "./run.ts";
export { settings } from "./settings.ts";
export { setup } from "./setup.ts";
export { start } from "./start.ts";
export { watch } from "./watch.ts";
