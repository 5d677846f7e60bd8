import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { seconds } from "../duration.ts";
import { quote, UsageError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { fill, hasStrayBrace, placeholders } from "../placeholders.ts";
import { requirementLines } from "../requirements.ts";
import type { SparkStep, SparkStepArgs } from "../step.ts";
import { need, RESERVED, unique, WORDS } from "./names.ts";

const COORDINATE = /^[\w.-]+:[\w.-]+:[\w.-]+$/;
/** What looks like a placeholder that could be meant. */
const NAME = /^[\w.:-]+$/;
const PROPERTY = /^spark\.[^\s=]+$/;
/** The Python module that steps share. */
const SHARED_MODULE = join(import.meta.dirname, "../../assets/jobs/oneoff.py");
const SIZES_THE_CLUSTER =
  /^spark\.(master|submit\.deployMode|executor\.(instances|cores|memory)|driver\.(cores|memory)|cores\.max)$/;
/** What Linux takes for one argument, with the byte that ends it (MAX_ARG_STRLEN, https://man7.org/linux/man-pages/man2/execve.2.html). */
const LONGEST_ARGUMENT = 128 * 1024 - 1;
/** Of a step that is endless, in seconds: longer than any cluster is there. */
const NO_LIMIT = 366 * 86_400;
/** What the clusters themselves fill in, wherever it stands. */
const DEADLINE = "{deadline}";

/**
 * A step with its defaults, its files found.
 *
 * @param folder that its paths start at.
 * @throws UsageError for what is missing, or can't be.
 */
export function makeStep(where: string, step: SparkStepArgs, folder: string, tables: ReadonlySet<string>): SparkStep {
  need(WORDS.test(step.name), `${where}: the name must be lower-case words joined by dashes`);
  need(!step.script !== !step.jar, `${where}: give either a script or a jar`);
  need(!step.jar === !step.mainClass, `${where}: jar and mainClass go together`);
  need(!step.endless || !step.timeLimit, `${where} is endless and has a timeLimit: leave one out`);
  const secrets = step.secrets ?? [];
  checkNames(where, step, tables);
  const known = [...RESERVED, ...tables, ...secrets.map((secret) => `secret:${secret}`)];
  for (const argument of step.arguments ?? []) checkArgument(where, argument, known);
  const { file, bringsOwn } = filesOf(where, step, folder);
  const requirements = step.requirements && file("requirements", step.requirements);
  if (requirements) checkRequirements(`${where}: requirements ${quote(step.requirements)}`, requirements);
  return {
    name: step.name,
    ...(step.script && { script: file("script", step.script) }),
    ...(step.jar && { jar: file("jar", step.jar), mainClass: step.mainClass as string }),
    arguments: step.arguments ?? [],
    files: (step.files ?? []).map((path) => file("file", path)),
    pyFiles: [
      ...(step.script && !bringsOwn ? [SHARED_MODULE] : []),
      ...(step.pyFiles ?? []).map((path) => file("Python file", path)),
    ],
    packages: step.packages ?? [],
    ...(requirements && { requirements }),
    leaves: step.leaves ?? [],
    conf: step.conf ?? {},
    timeLimitSeconds: step.endless ? NO_LIMIT : seconds(step.timeLimit ?? "1 hour", `${where}: timeLimit`),
    ...(step.endless && { endless: true }),
    secrets,
  };
}

/** Tables that a step's arguments name, and no earlier step's. */
export function tablesFirstNamed(
  earlier: readonly SparkStepArgs[],
  step: SparkStepArgs,
  tables: ReadonlySet<string>,
): readonly string[] {
  const namedBy = (one: SparkStepArgs) => (one.arguments ?? []).flatMap(placeholders);
  const before = new Set(earlier.flatMap(namedBy));
  return [...new Set(namedBy(step))].filter((name) => tables.has(name) && !before.has(name));
}

function checkNames(where: string, step: SparkStepArgs, tables: ReadonlySet<string>): void {
  for (const coordinate of step.packages ?? []) {
    need(COORDINATE.test(coordinate), `${where}: package ${quote(coordinate)} must be group:artifact:version`);
  }
  for (const [key, value] of Object.entries(step.conf ?? {})) {
    need(
      PROPERTY.test(key),
      `${where}: conf ${quote(key)} is not a Spark property; they start with "spark." and have neither "=" nor blanks`,
    );
    need(!SIZES_THE_CLUSTER.test(key), `${where}: conf ${quote(key)} sizes the cluster; set it on the cluster instead`);
    checkText(where, `conf ${quote(key)}`, `${key}=${value}`);
  }
  for (const secret of step.secrets ?? []) {
    need(WORDS.test(secret), `${where}: secret ${quote(secret)} must be lower-case words joined by dashes`);
  }
  for (const table of step.leaves ?? []) {
    need(
      tables.has(table),
      `${where}: leaves has ${quote(table)}; the tables of the job are ${[...tables].join(", ")}`,
    );
  }
  for (const [kind, names] of Object.entries({ secret: step.secrets, package: step.packages, table: step.leaves })) {
    unique(
      where,
      kind,
      (names ?? []).map((name) => ({ name })),
    );
  }
}

/** A placeholder is known, a brace is one of two or a placeholder's, and a program can be given the text. */
function checkArgument(where: string, argument: string, known: readonly string[]): void {
  checkText(where, "an argument", argument);
  const here = `${where}: argument ${short(argument)}`;
  const names = placeholders(argument);
  need(
    !hasStrayBrace(argument) && names.every((name) => NAME.test(name)),
    `${here} has a brace that is no placeholder's: double it, {{ or }}, as in '{{"rows": 5}}'`,
  );
  for (const name of names) {
    const meant = nearest(name, known);
    const cure = meant ? `did you mean {${meant}}?` : `there are ${known.map((k) => `{${k}}`).join(", ")}`;
    need(known.includes(name), `${where}: {${name}} in argument ${short(argument)} is unknown: ${cure}`);
  }
  need(
    !fill(argument, () => "").includes(DEADLINE),
    `${here} has the text ${DEADLINE}, which some clusters fill in themselves: write it otherwise`,
  );
}

/** @throws UsageError for a text that no program can be started with. */
function checkText(where: string, what: string, text: string): void {
  need(!text.includes("\0"), `${where}: ${what}, ${short(text)}, has a NUL character, which ends it: leave it out`);
  need(
    !/\p{Surrogate}/u.test(text),
    `${where}: ${what}, ${short(text)}, has half a character (a lone surrogate), which can't be written: leave it out`,
  );
  const bytes = Buffer.byteLength(text);
  need(
    bytes <= LONGEST_ARGUMENT,
    `${where}: ${what}, ${short(text)}, has ${bytes} bytes, and Linux takes ${LONGEST_ARGUMENT}: put it into a file of the step (files)`,
  );
}

const LONGEST_SHOWN = 100;

const short = (text: string): string =>
  text.length > LONGEST_SHOWN ? `${quote(text.slice(0, LONGEST_SHOWN))}...` : quote(text);

/** Where the step's files are, and whether one of them takes the place of the module that steps share. */
function filesOf(where: string, step: SparkStepArgs, folder: string) {
  const named = [step.script, step.jar, ...(step.files ?? []), ...(step.pyFiles ?? [])].filter(
    (path) => path !== undefined,
  );
  for (const path of new Set(named.map((path) => resolve(folder, path)))) {
    const alike = named.filter((other) => basename(other) === basename(path) && resolve(folder, other) !== path);
    need(alike.length === 0, `${where} has two files called ${quote(basename(path))}; rename one`);
  }
  if (step.script) {
    need(
      step.script.endsWith(".py"),
      `${where}: script ${quote(step.script)} must be a file that ends in .py: Spark tells by that what it is`,
    );
  }
  const file = (kind: string, path: string) => {
    const absolute = resolve(folder, path);
    const missing = `${where}: ${kind} ${quote(path)} is not there; it was looked for at ${absolute}`;
    need(existsSync(absolute), missing);
    const isMany = kind === "file" || kind === "Python file";
    need(
      !statSync(absolute).isDirectory(),
      `${where}: ${kind} ${quote(path)} is a folder: give ${isMany ? "the files, or a zip of them" : "the file in it"}`,
    );
    return absolute;
  };
  return { file, bringsOwn: named.some((path) => basename(path) === basename(SHARED_MODULE)) };
}

/** Every cluster installs what is pinned, and nothing else: better to hear of it before anything is made. */
function checkRequirements(here: string, path: string): void {
  for (const line of requirementLines(readFileSync(path, "utf8"))) {
    if (!("loose" in line)) continue;
    throw new UsageError(
      `${here} has ${short(line.loose)}: expected name==version with --hash=sha256:..., as "uv pip compile --generate-hashes" or "pip-compile --generate-hashes" writes it`,
    );
  }
}
