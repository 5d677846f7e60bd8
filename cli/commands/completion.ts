import type { OneoffCommand } from "../command.ts";

export const completion: OneoffCommand = { describe: () => {} };
