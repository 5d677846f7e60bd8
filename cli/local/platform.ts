import type { Platform } from "../platform.ts";

/** What runs on this machine itself, without a container. */
const RUN = "oneoff-local:index:Run";

/** This machine. What stacks have here alone ends with their destroy. */
export const thisMachine: Platform = {
  title: "this machine",
  provider: "oneoff-local:",
  setup: {
    checks: ["Java", "Python", "PySpark"],
    needs: (resources) => resources.some(({ type }) => type === RUN),
  },
  lakes: {
    scheme: "/",
    title: "a folder",
    open: async (_stack, address) => new (await import("../../clients/lake/folder.ts")).FolderStore(address),
  },
};
