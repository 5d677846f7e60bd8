import { spawnSync } from "node:child_process";
import { projectFolder } from "../../engine/backend.ts";
import type { OneoffCommand } from "../command.ts";
import { setupScript } from "../setup.ts";

export const setup: OneoffCommand = {
  describe: (command) =>
    command.action(() => {
      const { status } = spawnSync(process.execPath, [setupScript], { cwd: projectFolder(), stdio: "inherit" });
      process.exitCode = status ?? 1;
    }),
};
