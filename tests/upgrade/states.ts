/** States of stacks as an earlier version left them, kept beside the tests and put back into an engine of today. */
import { cpSync, globSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Launch } from "../../assets/dataproc-orchestrator/launch.ts";
import type { FakeWork, FakeWorkflow } from "../assets/dataproc-orchestrator/fake-dataproc.ts";
import type { Properties, Resource } from "../engine/fake-provider.ts";
import { type Engine, engine, type StackUnderTest } from "../engine/harness.ts";
import type { Project } from "../project.ts";
import { dataproc } from "../stacks/dataproc-modes.ts";
import { fakeAws } from "../stacks/fake-aws.ts";
import { fakeDocker } from "../stacks/fake-docker.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Whose the lake of stack `swarm` is: only root may have somebody else's. */
const [UID, GID] = process.getuid?.() === 0 ? [1000, 1000] : [process.getuid?.(), process.getgid?.()];

function reading(under: StackUnderTest): StackUnderTest {
  return { ...under, config: { ...under.config, "oneoff:reads": "their-books" } };
}

/** Stacks whose providers are stood in for, by the names of their fixtures. */
export const CLOUDS: Readonly<Record<string, StackUnderTest>> = {
  "emr-oneoff": {
    stack: "emr-oneoff",
    packages: ["aws", "random", "tls"],
    config: { "oneoff:reads": "s3://their-books/2024" },
    fake: fakeAws,
  },
  "dataproc-workflow": reading(dataproc("workflow")),
  "dataproc-cluster": reading(dataproc("cluster")),
  "dataproc-batch": reading(dataproc("batch")),
  swarm: {
    stack: "swarm",
    packages: ["docker", "random", "oneoff-local"],
    config: { "oneoff:reads": "/srv/books", ...(process.getuid?.() === 0 && { "oneoff:user": `${UID}:${GID}` }) },
    fake: fakeDocker,
  },
};

/** A resource as a state has it, as far as it is looked at here. */
export interface StateResource {
  urn: string;
  readonly type: string;
  readonly id?: string;
  readonly custom: boolean;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
  /** In a fixture, in place of `outputs`: what they have beside the inputs. */
  computed?: Record<string, unknown>;
}

/** What `pulumi stack export` prints and `pulumi stack import` takes. */
export interface State {
  readonly version: number;
  readonly deployment: { manifest: Record<string, unknown>; resources: StateResource[] };
}

export const nameOf = (urn: string): string => urn.split("::").slice(3).join("::");

const VERSIONS = join(import.meta.dirname, "versions");

/** The versions that left something, oldest first. */
export const versions = (): readonly string[] =>
  readdirSync(VERSIONS).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));

export const folderOf = (version: string): string => join(VERSIONS, version);

/** A program that a version left, or a file that one needs, wherever that version had it. */
export function programOf(version: string, file: string): string {
  const folder = join(folderOf(version), "programs");
  const [path] = globSync(`**/${file}`, { cwd: folder });
  if (path === undefined) throw new Error(`version ${version} has no ${file} below ${folder}`);
  return join(folder, path);
}

/** Names of the states that a version left. */
export const statesOf = (version: string): readonly string[] =>
  globSync("*.json", { cwd: join(folderOf(version), "states") })
    .map((file) => basename(file, ".json"))
    .sort();

/** A project, and the port of its dashboard if it has one on this machine. */
export interface Place extends Pick<Project, "folder"> {
  readonly port?: number;
}

/** What is called otherwise on each machine, by what it is called in a fixture. */
const places = ({ folder }: Place): Readonly<Record<string, string>> => ({
  "{project}": folder,
  "{root}": ROOT,
});

/** The text of a fixture, in which nothing is called as on this machine. */
export const withoutPlaces = (text: string, place: Place): string =>
  Object.entries(places(place))
    .reduce((text, [name, here]) => text.replaceAll(here, name), text)
    .replaceAll(`"user": "${UID}:${GID}"`, '"user": "{uid}:{gid}"')
    .replaceAll(`"fileUid": "${UID}"`, '"fileUid": "{uid}"')
    .replaceAll(`"fileGid": "${GID}"`, '"fileGid": "{gid}"')
    .replaceAll(`"port": ${place.port}`, '"port": "{port}"')
    .replaceAll(`http://127.0.0.1:${place.port}`, "http://127.0.0.1:{port}");

/** The same with what it is called here. */
export const withPlaces = (text: string, place: Place): string =>
  Object.entries({
    ...places(place),
    "{uid}": `${UID}`,
    "{gid}": `${GID}`,
    '"{port}"': `${place.port}`,
    "{port}": `${place.port}`,
  }).reduce((text, [name, here]) => text.replaceAll(name, here), text);

/** What says nothing of a resource, or only when and by which line of code it was made. */
const UNTOLD = ["created", "modified", "sourcePosition", "stackTrace", "propertyDependencies"];

/** Text of more is left out where it is never compared, because its property's changes are ignored. */
const LONGEST_IGNORED = 2000;

/** Keeps a stack's state as a fixture. */
export async function keepState(project: Project & Place, stack: string, file: string): Promise<void> {
  const state = JSON.parse(await project.mustPulumi("stack", "export", "--show-secrets", "--stack", stack)) as State;
  state.deployment.manifest.time = "2026-01-01T00:00:00Z";
  for (const resource of state.deployment.resources as (StateResource & Record<string, unknown>)[]) {
    for (const key of UNTOLD) delete resource[key];
    for (const key of (resource.ignoreChanges ?? []) as readonly string[]) {
      for (const properties of [resource.inputs ?? {}, resource.outputs ?? {}]) {
        const text = properties[key];
        if (typeof text === "string" && text.length > LONGEST_IGNORED) properties[key] = "...";
      }
    }
    const { inputs, outputs } = resource;
    if (!inputs || !outputs || Object.keys(inputs).some((key) => !(key in outputs))) continue;
    const isOwn = ([key, value]: [string, unknown]) => JSON.stringify(value) !== JSON.stringify(inputs[key]);
    resource.computed = Object.fromEntries(Object.entries(outputs).filter(isOwn));
    delete resource.outputs;
  }
  writeFileSync(file, `${withoutPlaces(JSON.stringify(sorted(state), undefined, 1), project)}\n`);
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]));
};

/** A state that a version left. */
export function readState(version: string, name: string, folder: "states" | "lakes" = "states"): State {
  const state = JSON.parse(readFileSync(join(folderOf(version), folder, `${name}.json`), "utf8")) as State;
  for (const resource of state.deployment.resources) {
    if (resource.computed) resource.outputs = { ...resource.inputs, ...resource.computed };
    delete resource.computed;
  }
  return state;
}

/** Puts a state into a project's backend. */
export async function importState(project: Project & Place, stack: string, state: State): Promise<void> {
  const file = join(project.folder, "state-of-before.json");
  writeFileSync(file, withPlaces(JSON.stringify(state), project));
  await project.mustPulumi("stack", "import", "--file", file, "--stack", stack);
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** Properties as a provider has them, to whom secrets are values like others. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const marked = value as Record<string, unknown>;
  if (marked[SIGNATURE] === SECRET) return plain(JSON.parse(marked.plaintext as string));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

/** What a state says that there is at the providers. */
export const resourcesIn = (state: State): readonly Resource[] =>
  state.deployment.resources
    .filter(({ custom, type }) => custom && !type.startsWith("pulumi:providers:"))
    .map(({ urn, id, type, outputs }) => ({
      id: id as string,
      type,
      name: nameOf(urn),
      properties: plain(outputs) as Properties,
    }));

/** A project of today with a state of before, and with all that the state tells of at its providers. */
export async function engineOfBefore(under: StackUnderTest, state: State): Promise<Engine> {
  const project = await engine(under, { there: resourcesIn(state) });
  await importState(project, under.stack, state);
  return project;
}

/** Files in which machines and folders may be named. */
const isText = (file: string): boolean => /\.(json|log)$/.test(file);

/** Copies a lake into a fixture or out of it. */
export function copyLake(from: string, to: string, change: (text: string) => string): void {
  cpSync(from, to, { recursive: true, filter: (path) => !/\.crc$|\/work$/.test(path) });
  for (const file of globSync("**/*", { cwd: to }).filter(isText)) {
    writeFileSync(join(to, file), change(readFileSync(join(to, file), "utf8")));
  }
}

/** Settings of stack `local` with which a run is small. */
export const SMALL: Readonly<Record<string, string>> = {
  "oneoff:rows": "100",
  "oneoff:hidden": "2",
  "oneoff:seeds": "1",
  "oneoff:cores": "2",
};

/** Moves all times of a text so that what was recorded at one time seems to have been at another. */
export function moved(text: string, recorded: string, to: Date): string {
  const seconds = Math.round((to.getTime() - Date.parse(recorded)) / 1000); // whole ones, as some times are
  return text.replace(/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (time, fraction) => {
    const iso = new Date(Date.parse(time) + seconds * 1000).toISOString();
    return fraction ? iso : iso.replace(/\.\d+Z$/, "Z");
  });
}

/** What a version's launcher wrote of a run, and what it was sent. */
export interface EmrLaunch {
  readonly recorded: string;
  /** Text that the function was sent. */
  readonly input: string;
  /** `_launches/<run>.json` as it was one after the other: claimed, while it rented, with its cluster. */
  readonly written: readonly [claimed: string, renting: string, launched: string];
}

/** What a version's orchestrator wrote of a run in one mode, and what it asked Dataproc for. */
export interface DataprocRun {
  readonly recorded: string;
  readonly launch: Launch;
  /** Objects of the lake. */
  readonly objects: Readonly<Record<string, string>>;
  /** By id, what there was at Dataproc. */
  readonly jobs: Readonly<Record<string, FakeWork>>;
  readonly batches: Readonly<Record<string, FakeWork>>;
  readonly workflows: Readonly<Record<string, FakeWorkflow>>;
}

/** Stacks and jobs whose settings are compared, by the names of their fixtures. */
export const SETTINGS: Readonly<Record<string, { readonly stack: string; readonly job: string }>> = Object.fromEntries(
  ["local", "emr-oneoff", "dataproc", "swarm"].flatMap((stack) =>
    ["xo", "london-power"].map((job) => [`${stack}-${job}`, { stack, job }]),
  ),
);
