import type { Platform } from "../platform.ts";

export const docker: Platform = {
  title: "Docker",
  provider: "docker:",
  async checks(stack, resources) {
    const { dockerNeeds } = await import("./needs.ts");
    const { dockerChecks } = await import("./doctor.ts");
    return dockerChecks(stack.files, dockerNeeds(resources));
  },
  async search({ files }) {
    const { findDockerLeftovers } = await import("./leftovers.ts");
    return { find: () => findDockerLeftovers(files) };
  },
};
