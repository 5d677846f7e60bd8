/** Whether an account is on AWS's free plan, which rents no GPU. The SDK has a client for that which is not to be had everywhere. */
import { createHash, createHmac } from "node:crypto";
import { STSClient } from "@aws-sdk/client-sts";
import { z } from "zod";
import { explain } from "./client.ts";

/** One address for all regions. */
const ENDPOINT = "https://freetier.us-east-1.api.aws";
const SCOPE = ["us-east-1", "freetier", "aws4_request"] as const;
const TIMEOUT_MS = 20_000;

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

const Plan = z.object({ accountPlanType: z.enum(["FREE", "PAID"]) });

/**
 * "FREE" or "PAID"; undefined for an account that is older than plans.
 * @throws as any client of the SDK, with what a user can do about it.
 */
export async function accountPlan(region: string): Promise<z.output<typeof Plan>["accountPlanType"] | undefined> {
  const credentials = await new STSClient({ region }).config.credentials().catch((error) => {
    throw explain(error);
  });
  const address = process.env.AWS_ENDPOINT_URL_FREETIER || process.env.AWS_ENDPOINT_URL || ENDPOINT;
  const body = "{}";
  const headers = signed(address, body, credentials, new Date());
  const answer = await fetch(address, { method: "POST", headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await answer.text();
  if (answer.ok) return Plan.parse(JSON.parse(text)).accountPlanType;
  const { __type: type = "", message = text } = asJson(text);
  const name = type.replace(/^.*#/, "");
  if (name === "ResourceNotFoundException") return undefined;
  throw explain(Object.assign(new Error(message), { name, $metadata: { httpStatusCode: answer.status } }));
}

function asJson(text: string): { readonly __type?: string; readonly message?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** Headers of a request in signature version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). */
export function signed(
  address: string,
  body: string,
  { accessKeyId, secretAccessKey, sessionToken }: Credentials,
  now: Date,
): Readonly<Record<string, string>> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const headers = {
    "content-type": "application/x-amz-json-1.0",
    host: new URL(address).host,
    "x-amz-date": time,
    ...(sessionToken && { "x-amz-security-token": sessionToken }),
    "x-amz-target": "AWSFreeTierService.GetAccountPlanState",
  };
  const names = Object.keys(headers).join(";");
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
  const request = ["POST", "/", "", ...lines, "", names, sha256(body)].join("\n");
  const scope = [day, ...SCOPE].join("/");
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(request)].join("\n");
  const key = [day, ...SCOPE].reduce<string | Buffer>((key, part) => hmac(key, part), `AWS4${secretAccessKey}`);
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${hmac(key, text).toString("hex")}`;
  const { host: _, ...sent } = headers; // whoever sends it says that
  return { ...sent, authorization };
}
