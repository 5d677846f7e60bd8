import type { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import type { EC2Client } from "@aws-sdk/client-ec2";
import type { EMRClient } from "@aws-sdk/client-emr";
import type { S3Client } from "@aws-sdk/client-s3";

/** What the reaper asks. */
export interface Clients {
  readonly emr: EMRClient;
  readonly autoScaling: AutoScalingClient;
  readonly ec2: EC2Client;
  readonly s3: S3Client;
}
