/** Files of a job, looked at before there is any stack: a step's script, and a module that makes jobs. */
import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { MissingError, quote, UsageError } from "../core/errors.ts";
import type { Job } from "../core/job.ts";
import { projectFolder } from "../engine/backend.ts";
import type { Looked } from "./looked.ts";

/** A script says what it takes at once; one that does not is at work. */
const HELP_MS = 60_000;

/** @throws MissingError when there is no such file, UsageError for one of another kind, and what `job` refuses. */
export async function checkFile(file: string): Promise<readonly Looked[]> {
  if (!existsSync(file) || !statSync(file).isFile()) throw new MissingError(`there is no file ${quote(file)}`);
  if (extname(file) === ".py") return [await checkScript(file)];
  if (/\.[mc]?[jt]s$/.test(file)) return checkModule(file);
  throw new UsageError(
    `file is ${quote(file)}: expected a step's script (.py), or a module that makes a job (.ts, .js)`,
  );
}

/** Whether it is Python, and whether it runs as far as its `--help`, with all that it imports. */
async function checkScript(file: string): Promise<Looked> {
  const own = join(projectFolder(), ".oneoff", "venv", "bin", "python");
  const python = existsSync(own) ? own : "python3";
  const run = (...args: readonly string[]) => promisify(execFile)(python, [...args], { timeout: HELP_MS });
  const problem = async (what: string, asked: Promise<unknown>): Promise<Looked | undefined> => {
    try {
      await asked;
      return undefined;
    } catch (error) {
      const { stderr = "", message } = error as Error & { readonly stderr?: string };
      return { refused: true, lines: [`error    ${file}: ${what}: ${stderr.trim().split("\n").at(-1) || message}`] };
    }
  };
  const parse = "import ast, sys; ast.parse(open(sys.argv[1], 'rb').read(), sys.argv[1])";
  return (
    (await problem("it is no Python", run("-c", parse, file))) ??
    (await problem("it doesn't come as far as its --help", run(file, "--help"))) ?? {
      refused: false,
      lines: [`${file}: Python that says what it takes: fine`],
    }
  );
}

/** The jobs that a module exports; or that its only function makes, where that needs nothing: others may do anything. */
async function checkModule(file: string): Promise<readonly Looked[]> {
  const exported: readonly unknown[] = Object.values(await importOf(file));
  const [only, ...more] = exported.filter((value) => typeof value === "function");
  const made =
    only !== undefined && more.length === 0 && only.length === 0 ? [await problemsOf(file, only as () => unknown)] : [];
  const jobs = [...exported, ...made].filter(isJob);
  if (jobs.length === 0)
    throw new UsageError(
      `file is ${quote(file)}: it exports no job, and no single function that makes one without arguments`,
    );
  const { look } = await import("./looked.ts");
  return Promise.all(jobs.map((job) => look({ job, engine: "DuckDB" })));
}

const importOf = (file: string): Promise<object> => problemsOf(file, () => import(pathToFileURL(resolve(file)).href));

/** What a module of the user's own throws is a fault of that module. */
async function problemsOf<Result>(file: string, act: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    const { code, message = String(error) } = error as Error & { readonly code?: string };
    const isUnbuilt = code === "ERR_MODULE_NOT_FOUND" && /\/dist\//.test(message);
    const cure = isUnbuilt ? '; package pulumi-oneoff is not built in this checkout: "npm run build" does it' : "";
    throw new UsageError(`${file}: ${message.split("\n")[0]}${cure}`);
  }
}

const isJob = (value: unknown): value is Job =>
  typeof value === "object" && value !== null && "steps" in value && "tables" in value && "panels" in value;
