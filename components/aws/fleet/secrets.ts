import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { givenSecrets, neededSecrets } from "../../../core/checks.ts";
import { arg, refusal } from "../../../core/errors.ts";
import type { Job } from "../../../core/job.ts";
import { stackId, stackTags } from "../../common/naming.ts";

/** What a parameter of the tier that costs nothing holds: API reference of Systems Manager, PutParameter. */
const MOST_BYTES = 4096;

/** Values of the secrets that a job's steps name. */
export type FleetSecretValues = Readonly<Record<string, pulumi.Input<string>>>;

/** @throws UsageError when a secret isn't given, or is known by now and is one that no parameter holds. */
export function checkSecrets(job: Job, values: FleetSecretValues = {}): void {
  for (const secret of givenSecrets(job, values)) {
    const value = values[secret];
    if (typeof value !== "string") continue;
    const bytes = Buffer.byteLength(value);
    if (bytes > 0 && bytes <= MOST_BYTES) continue;
    throw refusal`${arg(`secrets.${secret}`)} has ${bytes} bytes: a fleet takes secrets of 1 to ${MOST_BYTES} bytes`;
  }
}

/** Name of the parameter that holds a secret of a fleet's. */
export const parameterName = (fleet: string, secret: string): string => `/oneoff/${stackId()}/${fleet}/${secret}`;

/** Where a job's secrets are kept: nobody but the run's role reads them, and machines are told of none. */
export const jobSecrets = (
  name: string,
  job: Job,
  values: FleetSecretValues = {},
  parent: pulumi.Resource,
): readonly aws.ssm.Parameter[] =>
  neededSecrets(job).map((secret) => {
    const value = pulumi.secret(values[secret] as pulumi.Input<string>);
    return new aws.ssm.Parameter(
      `${name}-secret-${secret}`,
      { name: parameterName(name, `secrets/${secret}`), type: "SecureString", value, tags: stackTags() },
      { parent },
    );
  });

/** Parameters of a job's secrets, by the secret. */
export const secretParameters = (name: string, job: Job): Readonly<Record<string, string>> =>
  Object.fromEntries(neededSecrets(job).map((secret) => [secret, parameterName(name, `secrets/${secret}`)]));
