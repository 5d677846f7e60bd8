/** Makes the archive of a run, for tests in Python: of a job and a place, as JSON on standard input, at a path. */
import { readFileSync, writeFileSync } from "node:fs";
import { driverArchive, jobFiles } from "../../assets/driver/code.ts";
import { runSpec } from "../../core/run-spec.ts";

const { job, place, conf } = JSON.parse(readFileSync(0, "utf8"));
const places = jobFiles(job);
const file = (path: string) => places.get(path) as string;
const spec = runSpec(job, place, { conf, driverMebibytes: 512, place: file });
writeFileSync(process.argv[2] as string, driverArchive(job, spec));
