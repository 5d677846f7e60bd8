import {
  CloudControlClient,
  DeleteResourceCommand,
  GetResourceCommand,
  GetResourceRequestStatusCommand,
} from "@aws-sdk/client-cloudcontrol";
import { TransientError, UsageError } from "../../../core/errors.ts";
import { until } from "../../removal.ts";
import { connect } from "../client.ts";

/**
 * Whether a resource is there, by its CloudFormation type and identifier. One that the API can't tell of is, because it
 * was listed: not every region knows every type.
 */
export async function isThere(region: string, type: string, id: string): Promise<boolean> {
  try {
    await client(region).send(new GetResourceCommand({ TypeName: type, Identifier: id }));
    return true;
  } catch (error) {
    if (error instanceof UsageError || error instanceof TransientError) throw error;
    return (error as Error).name !== "ResourceNotFoundException";
  }
}

/** Removes a resource and waits until it is gone. */
export async function remove(region: string, type: string, id: string): Promise<void> {
  const control = client(region);
  const { ProgressEvent: event } = await control.send(new DeleteResourceCommand({ TypeName: type, Identifier: id }));
  await until(async () => {
    const request = new GetResourceRequestStatusCommand({ RequestToken: event?.RequestToken });
    const { ProgressEvent: now } = await control.send(request);
    if (now?.OperationStatus === "FAILED" && now.ErrorCode !== "NotFound") {
      throw new Error(now.StatusMessage ?? now.ErrorCode ?? "AWS doesn't say why");
    }
    return now?.OperationStatus !== "PENDING" && now?.OperationStatus !== "IN_PROGRESS";
  });
}

const client = (region: string): CloudControlClient => connect(new CloudControlClient({ region }));
