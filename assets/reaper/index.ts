/**
 * Runs every few minutes on AWS Lambda and ends what is past its deadline, and clusters whose run is to be cancelled; fleets that
 * nobody works on it puts to sleep. `ONEOFF_STACK` holds the value of the tag
 * `oneoff:stack` that says what is this stack's. Nobody looks at `oneoff:lake` here: where two stacks have one name, each
 * reaper ends what is past its deadline of both, which is right whoever owns it.
 */
import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { EC2Client } from "@aws-sdk/client-ec2";
import { EMRClient } from "@aws-sdk/client-emr";
import { S3Client } from "@aws-sdk/client-s3";
import { reap } from "./reap.ts";

/** Ends what has to end, and says how much. Throws when something could not be ended, so that the function's error metric shows it. */
export const handler = async (): Promise<{ readonly ended: number }> => {
  const stack = process.env.ONEOFF_STACK;
  if (!stack) throw new Error("ONEOFF_STACK is not set: it has to hold the value of the tag oneoff:stack");
  const clients = {
    emr: new EMRClient({}),
    autoScaling: new AutoScalingClient({}),
    ec2: new EC2Client({}),
    s3: new S3Client({}),
  };
  const entries = await reap(clients, stack, new Date());
  for (const entry of entries) console.log(JSON.stringify(entry));
  const failures = entries.filter((entry) => entry.event === "failed");
  if (failures.length > 0) {
    const first = failures.map(({ kind, id, error }) => `${kind} ${id} (${error})`).slice(0, 3);
    throw new Error(`${failures.length} could not be ended or looked at: ${first.join("; ")}`);
  }
  return { ended: entries.filter((entry) => entry.event === "ended").length };
};
