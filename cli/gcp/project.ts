import { UsageError } from "../../core/errors.ts";
import type { StackContext } from "../platform.ts";

/** As Pulumi's provider for Google Cloud takes them where its settings are not set, gcloud's own last. */
const VARIABLES = {
  project: ["GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"],
  region: ["GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"],
} as const;

/** What the environment names. */
export const inEnvironment = (key: keyof typeof VARIABLES): string | undefined =>
  VARIABLES[key].map((name) => process.env[name]).find((value) => value);

/**
 * Project of a stack on Google Cloud: of its outputs when it is up, else of its settings, else GOOGLE_CLOUD_PROJECT.
 * @throws UsageError when none of them says.
 */
export const projectOf = (stack: StackContext): string =>
  settingOf(stack, "project", "my-project", "GOOGLE_CLOUD_PROJECT");

/**
 * Region of a stack on Google Cloud, as {@link projectOf}.
 * @throws UsageError when nothing says which.
 */
export const regionOf = (stack: StackContext): string => settingOf(stack, "region", "europe-west1", "GOOGLE_REGION");

function settingOf(
  { name, outputs, files: { config } }: StackContext,
  key: keyof typeof VARIABLES,
  example: string,
  variable: string,
): string {
  const value = outputs[key] ?? config[`gcp:${key}`] ?? inEnvironment(key);
  if (typeof value === "string" && value !== "") return value;
  throw new UsageError(
    `stack ${name} has no ${key}: set one with "npx pulumi config set gcp:${key} ${example} --stack ${name}", or set ${variable}`,
  );
}
