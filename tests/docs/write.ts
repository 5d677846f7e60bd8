import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { pages, regenerated } from "./generated.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
for (const page of pages()) writeFileSync(`${root}/${page}`, await regenerated(page));
