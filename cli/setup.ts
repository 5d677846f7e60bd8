import { fileURLToPath } from "node:url";

/** What installs, and what is asked for what is installed. */
export const setupScript = fileURLToPath(new URL("../engine/setup.mjs", import.meta.url));
