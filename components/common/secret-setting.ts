import { UsageError } from "../../core/errors.ts";

/**
 * Of a setting that nobody else may read.
 *
 * @param given how its value comes to `pulumi config set --secret`, after its key.
 * @throws UsageError when it is plain text: Pulumi would keep it so, in the stack's settings and state.
 */
export function checkSecretSetting(key: string, value: string | undefined, given = ""): void {
  const secret: readonly string[] = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS || "[]");
  if (value === undefined || secret.includes(key)) return;
  throw new UsageError(
    `${key} is plain text: pulumi config set --secret ${key}${given}, and make new ones if others could read these`,
  );
}
