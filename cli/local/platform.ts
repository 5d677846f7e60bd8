import { keptBytes, keptRequirements } from "../../assets/driver/kept.ts";
import { UsageError } from "../../core/errors.ts";
import type { Check } from "../check.ts";
import type { Platform, RehearsedResource } from "../platform.ts";

/** What runs on this machine itself, without a container. */
const RUN = "oneoff-local:index:Run";

const runsHere = (resources: readonly RehearsedResource[]): boolean => resources.some(({ type }) => type === RUN);

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
  keeps: (resources) => (runsHere(resources) ? keptChecks() : []),
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
