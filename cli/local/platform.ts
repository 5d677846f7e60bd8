import { readdirSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { keptBytes, keptRequirements } from "../../assets/driver/kept.ts";
import { userCache } from "../../clients/user-cache.ts";
import { UsageError } from "../../core/errors.ts";
import type { Check } from "../check.ts";
import type { Platform, RehearsedResource } from "../platform.ts";

/** What runs on this machine itself, without a container. */
const RUN = "oneoff-local:index:Run";

const runsHere = (resources: readonly RehearsedResource[]): boolean => resources.some(({ type }) => type === RUN);

/** What lives until it is destroyed, and what is fetched for it. */
const PROCESS = "oneoff-local:index:Process";
const SOFTWARE = "oneoff-local:index:Software";

/** What keeps the results. */
const FOLDER = "oneoff-local:index:Folder";

/** This machine. */
export const thisMachine: Platform = {
  title: "this machine",
  provider: "oneoff-local:",
  setup: {
    checks: ["Java", "Python", "PySpark"],
    needs: runsHere,
  },
  machine: (resources) => [
    ...memoryChecks(resources),
    ...softwareChecks(resources),
    ...(runsHere(resources) ? keptChecks() : []),
  ],
  async search({ name, files, outputs, secrets }, _parts, resources) {
    const paths = [...resources.filter(({ type }) => type === FOLDER).map(({ inputs }) => inputs.path), outputs.lake];
    const lake = paths.find((path) => typeof path === "string" && path.startsWith("/"));
    if (lake === undefined) return undefined;
    const { localLeftovers } = await import("./leftovers.ts");
    const isUp = Object.keys(await secrets().catch(() => ({}))).length > 0;
    if (isUp) {
      throw new UsageError(
        `stack ${name} is up, and what it has is in use: "npx pulumi destroy --stack ${name}" first`,
      );
    }
    return { find: async () => localLeftovers(files, lake as string), where: ` or its lake ${lake}` };
  },
  lakes: {
    scheme: "/",
    title: "a folder",
    open: async (_stack, address) => new (await import("../../clients/lake/folder.ts")).FolderStore(address),
  },
};

/** Python packages that runs have left for others; nothing where there are none. */
function keptChecks(): readonly Check[] {
  const folder = keptRequirements();
  const sets = keptBytes(folder);
  if (sets.length === 0) return [];
  const megabytes = Math.ceil(sets.reduce((all, bytes) => all + bytes, 0) / 1e6);
  const what = sets.length === 1 ? "1 set of installed requirements" : `${sets.length} sets of installed requirements`;
  const detail = `${what}, ${megabytes} MB, kept for later runs; while none goes on, "rm -r ${folder}" removes them`;
  return [{ name: "kept for runs", ok: true, detail }];
}

/** What was fetched for stacks, in any version. */
function softwareChecks(resources: readonly RehearsedResource[]): readonly Check[] {
  const names = ofType(resources, SOFTWARE).map(({ inputs }) => String(inputs.name));
  if (names.length === 0) return [];
  const folder = userCache();
  const kept = namesIn(folder).filter((name) => names.some((begin) => name.startsWith(`${begin}-`)));
  const missing = names.filter((begin) => !kept.some((name) => name.startsWith(`${begin}-`)));
  const fetched = kept.map((name) => `"rm -r ${join(folder, name)}"`).join(", ");
  return [
    {
      name: "fetched software",
      ok: true,
      detail: [
        ...(kept.length > 0 ? [`${kept.length} kept for all stacks; once no stack has it, ${fetched} removes it`] : []),
        ...(missing.length > 0 ? [`${missing.join(" and ")} will be fetched by the first "pulumi up"`] : []),
      ].join("; "),
    },
  ];
}

/** Whether all processes, and a run, fit beside each other. */
function memoryChecks(resources: readonly RehearsedResource[]): readonly Check[] {
  const processes = ofType(resources, PROCESS);
  if (processes.length === 0) return [];
  const given = [
    ...processes.map(({ inputs }) => inputs.memoryMebibytes),
    ...ofType(resources, RUN).map(({ inputs }) => Number(inputs.memoryMebibytes) * 2), // its heap, and its Python
  ];
  const needed = given.reduce<number>((sum, mebibytes) => sum + Number(mebibytes), 0) / 1024;
  const there = totalmem() / 2 ** 30;
  return [
    {
      name: "memory",
      ok: needed < there,
      detail: `${processes.length} processes and a run take up to ${needed.toFixed(1)} GB; this machine has ${there.toFixed(1)}`,
      cure: "Take fewer or smaller ones: oneoff:workers, oneoff:workerMemory, oneoff:datanodes, oneoff:notebook.",
    },
  ];
}

const ofType = (resources: readonly RehearsedResource[], wanted: string): readonly RehearsedResource[] =>
  resources.filter(({ type }) => type === wanted);

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // nothing was fetched yet
  }
}
