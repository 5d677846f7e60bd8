/** The dashboard of a local lake, as a process that ends when its folder is removed. */
import { join } from "node:path";
import { serve } from "../assets/dashboard/server.ts";
import { readJson } from "./json.ts";
import { isRegistered, register } from "./process.ts";

const folder = process.argv[2] as string;
register(folder);
const server = await serve(readJson(join(folder, "config.json")));
const end = () => server.close().finally(() => process.exit());
process.once("SIGTERM", end);
setInterval(() => isRegistered(folder) || end(), 1000).unref();
