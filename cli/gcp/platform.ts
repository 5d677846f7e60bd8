import type { Platform } from "../platform.ts";
import type { GcpPart } from "./part.ts";
import { inEnvironment } from "./project.ts";

const sdk = () => import("./index.ts");

export const gcp: Platform<GcpPart> = {
  title: "Google Cloud",
  provider: "gcp:",
  async prices() {
    const { pricesAsOf } = await import("../../components/gcp/prices-data.ts");
    return { whose: "Google", asOf: pricesAsOf };
  },
  rehearsal: () => ({
    config: { "gcp:project": "my-project" }, // where it would be made changes nothing of what it is
    state: (name) => ({ email: `${name}@mock.iam.gserviceaccount.com` }),
  }),
  checks: async (stack, resources, parts) => (await sdk()).projectChecks(stack, resources, parts),
  search: async (stack, parts) => (await sdk()).search(stack, parts),
  isNamed: ({ files: { config } }, by) =>
    by === "settings" ? "gcp:project" in config : inEnvironment("project") !== undefined,
  lakes: {
    scheme: "gs://",
    title: "gs://BUCKET",
    open: async (stack, address) => (await sdk()).openLake(stack, address),
  },
  explain: (error) =>
    error.name === "GoogleError"
      ? `Google says ${"status" in error && error.status ? `${error.status}: ` : ""}${error.message}`
      : undefined,
};
