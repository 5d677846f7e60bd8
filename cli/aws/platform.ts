import type { Platform } from "../platform.ts";
import type { AwsPart } from "./part.ts";
import { regionIn } from "./region.ts";

const sdk = () => import("./index.ts");

const ACCOUNT = "123456789012";

export const aws: Platform<AwsPart> = {
  title: "AWS",
  provider: "aws:",
  async prices() {
    const { pricesAsOf } = await import("../../components/aws/prices-data.ts");
    return { whose: "AWS", asOf: pricesAsOf };
  },
  rehearsal(config) {
    const region = regionIn(config) ?? "us-west-2";
    return {
      answers: {
        "aws:index/getCallerIdentity:getCallerIdentity": { accountId: ACCOUNT },
        "aws:index/getRegion:getRegion": { name: region, region, id: region },
        "aws:index/getPartition:getPartition": { partition: "aws", dnsSuffix: "amazonaws.com" },
        "aws:index/getAvailabilityZones:getAvailabilityZones": { names: ["a", "b", "c"].map((zone) => region + zone) },
      },
      state: (name) => ({ arn: `arn:aws:mock:${region}:${ACCOUNT}:${name}`, region }),
    };
  },
  checks: async (stack, resources, parts) => (await sdk()).accountChecks(stack, resources, parts),
  search: async (stack, parts) => ({ find: async () => (await sdk()).findLeftovers(stack, parts) }),
  isNamed: ({ files: { config } }, by) => (by === "settings" ? "aws:region" in config : regionIn({}) !== undefined),
  lakes: {
    scheme: "s3://",
    title: "s3://BUCKET",
    open: async (stack, address) => (await sdk()).openLake(stack, address),
  },
  async carry(machine) {
    const [region = "", instance = ""] = machine.split("/");
    await (await import("./ssh/index.ts")).carrySsh(region, instance);
  },
  explain: (error) => ("$metadata" in error ? `AWS says ${error.name}: ${error.message}` : undefined),
};
