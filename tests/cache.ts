/** What tests build and any checkout of the same sources could use: in the user's cache, where a fresh clone finds it too. */
import { homedir } from "node:os";
import { join } from "node:path";

/** tests/swarm/base-image.sh names it too. */
export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "pulumi-oneoff", "tests");
