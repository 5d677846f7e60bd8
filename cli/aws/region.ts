import { UsageError } from "../../core/errors.ts";
import type { StackContext } from "../platform.ts";

/** Region of a stack's settings, or of the environment. */
export const regionIn = (config: Readonly<Record<string, string>>): string | undefined =>
  config["aws:region"] || process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || undefined;

/**
 * Region of a stack: of its outputs when it is up, else of its settings, else AWS_REGION.
 * @throws UsageError when none of them says.
 */
export function regionOf({ name, outputs, files: { config } }: StackContext): string {
  const region = outputs.region ?? config["oneoff:region"] ?? regionIn(config);
  if (typeof region === "string" && region !== "") return region;
  throw new UsageError(
    `stack ${name} has no region: set one with "npx pulumi config set aws:region us-west-2 --stack ${name}", or set AWS_REGION`,
  );
}
