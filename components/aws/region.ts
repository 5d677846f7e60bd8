import * as pulumi from "@pulumi/pulumi";
import { UsageError } from "../../core/errors.ts";

/** @throws UsageError when Pulumi isn't told of a region, neither by the stack's settings nor by the environment. */
export function regionOf(): string {
  const region = new pulumi.Config("aws").get("region") ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  if (region) return region;
  throw new UsageError("there is no region: pulumi config set aws:region us-west-2, or set AWS_REGION");
}
