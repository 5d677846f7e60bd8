/**
 * Keeps a command that belongs to a folder: `supervisor FOLDER COMMAND ...`. It registers itself there, and the command ends
 * with it, kill -9 included. Once its registration is gone it ends everything at once; asked to end, it asks the command.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { isRegistered, killGroup, killTree, register, signalGroup } from "./process.ts";

const LOOK_MS = 500;
const GUARD = fileURLToPath(new URL("../assets/steps/guard.sh", import.meta.url));

const [folder = "", ...command] = process.argv.slice(2);
let isAskedToEnd = false;
let guarded: number | undefined;
process.on("SIGTERM", () => {
  isAskedToEnd = true;
  if (guarded !== undefined) signalGroup(guarded, "SIGTERM");
});
register(folder);
if (isAskedToEnd) process.exit();
const child = spawn("/bin/sh", [GUARD, ...command], {
  detached: true,
  stdio: ["ignore", "inherit", "inherit", "pipe"], // the pipe closes when this process ends
});
guarded = child.pid as number;
child.once("exit", () => {
  killGroup(guarded as number); // what it left behind
  process.exit();
});
setInterval(() => isRegistered(folder) || killTree(guarded as number), LOOK_MS);
