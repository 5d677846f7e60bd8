import type { RunJobFlowCommandInput } from "@aws-sdk/client-emr";
import type { Job } from "../../../core/job.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import type { SparkStep } from "../../../core/step.ts";
import { type ClusterCode, NODE, RECORDER } from "../../common/node-code.ts";
import { type NodeRun, wrapperArguments, yarnSubmit } from "../../common/node-run.ts";

/** Where the steps write. */
export const Stage = {
  /** Straight into the lake. */
  lake: "lake",
  /** Into the cluster's HDFS; `s3-dist-cp` takes it to the lake after the last step. For steps that write through Hadoop. */
  hdfs: "hdfs",
} as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

/** What becomes of a spot request that isn't met in time. */
export const SpotFallback = {
  /** The machines are rented at the on-demand price, by which the ceiling is told. */
  onDemand: "on-demand",
  /** The cluster ends, and with it the run. */
  terminate: "terminate",
} as const;
export type SpotFallback = (typeof SpotFallback)[keyof typeof SpotFallback];

/** Everything that a request to EMR is made of, with all values known. */
export interface JobFlow {
  readonly name: string;
  readonly releaseLabel: string;
  readonly applications: readonly string[];
  readonly job: Job;
  readonly run: string;
  readonly code: ClusterCode;
  readonly bucket: string;
  readonly region: string;
  readonly subnetIds: readonly string[];
  readonly groups: { readonly primary: string; readonly workers: string; readonly service?: string | undefined };
  readonly serviceRole: string;
  readonly instanceProfile: string;
  readonly securityConfiguration: string;
  readonly primary: string;
  readonly workers: { readonly count: number; readonly types: readonly string[] };
  readonly spot?: { readonly fallback: SpotFallback; readonly waitMinutes: number };
  readonly diskGibibytes: number;
  readonly executors?: { readonly count: number; readonly cores: number; readonly memoryMebibytes: number };
  readonly driverMebibytes?: number;
  readonly stage: Stage;
  /** Secret to the ARN that it is kept under. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly keyName?: string;
  /** Seconds without work after which it ends; undefined: after its last step. */
  readonly idleSeconds?: number;
  readonly jupyter: boolean;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * The request that rents the cluster (https://docs.aws.amazon.com/emr/latest/APIReference/API_RunJobFlow.html).
 * `{deadline}` in the steps' arguments is filled in when it is sent.
 */
export function jobFlow(flow: JobFlow): Readonly<Record<string, unknown>> {
  const stays = flow.idleSeconds !== undefined;
  const uri = `s3://${flow.bucket}/${flow.code.prefix}`;
  const venvs = Object.entries(flow.code.wheels).map(([name, prefix]) => `${name}=s3://${flow.bucket}/${prefix}`);
  return {
    Name: flow.name,
    ReleaseLabel: flow.releaseLabel,
    Applications: flow.applications.map((Name) => ({ Name })),
    LogUri: `s3://${flow.bucket}/${Prefix.logs}/emr/`,
    ServiceRole: flow.serviceRole,
    JobFlowRole: flow.instanceProfile,
    SecurityConfiguration: flow.securityConfiguration,
    VisibleToAllUsers: true,
    StepConcurrencyLevel: 1,
    BootstrapActions: [
      {
        Name: "set up Python and the job's code",
        ScriptBootstrapAction: {
          Path: `${uri}/emr/bootstrap.sh`,
          Args: [...(flow.jupyter ? ["--jupyter", flow.run] : []), uri, ...venvs],
        },
      },
    ],
    Steps: flow.job.steps.map((step) => ({
      Name: step.name,
      ActionOnFailure: stays ? "CANCEL_AND_WAIT" : "TERMINATE_CLUSTER",
      HadoopJarStep: { Jar: "command-runner.jar", Args: [...stepArguments(flow, step)] },
    })),
    Instances: instances(flow, stays),
    ...(stays && { AutoTerminationPolicy: { IdleTimeout: flow.idleSeconds } }),
    Tags: Object.entries(flow.tags).map(([Key, Value]) => ({ Key, Value })),
  } satisfies RunJobFlowCommandInput;
}

function instances(flow: JobFlow, stays: boolean): RunJobFlowCommandInput["Instances"] {
  const { groups, spot } = flow;
  const ebs = {
    EbsOptimized: true,
    EbsBlockDeviceConfigs: [
      { VolumeSpecification: { VolumeType: "gp3", SizeInGB: flow.diskGibibytes }, VolumesPerInstance: 1 },
    ],
  };
  const type = (InstanceType: string) => ({ InstanceType, WeightedCapacity: 1, EbsConfiguration: ebs });
  const onDemand = { OnDemandSpecification: { AllocationStrategy: "lowest-price" as const } };
  return {
    InstanceFleets: [
      {
        Name: "primary",
        InstanceFleetType: "MASTER",
        TargetOnDemandCapacity: 1,
        InstanceTypeConfigs: [type(flow.primary)],
        LaunchSpecifications: onDemand,
      },
      {
        Name: "workers",
        InstanceFleetType: "CORE",
        [spot ? "TargetSpotCapacity" : "TargetOnDemandCapacity"]: flow.workers.count,
        InstanceTypeConfigs: flow.workers.types.map(type),
        LaunchSpecifications: spot
          ? {
              SpotSpecification: {
                AllocationStrategy: "price-capacity-optimized",
                TimeoutDurationMinutes: spot.waitMinutes,
                TimeoutAction: spot.fallback === "terminate" ? "TERMINATE_CLUSTER" : "SWITCH_TO_ON_DEMAND",
              },
              ...onDemand,
            }
          : onDemand,
      },
    ],
    Ec2SubnetIds: [...flow.subnetIds],
    EmrManagedMasterSecurityGroup: groups.primary,
    EmrManagedSlaveSecurityGroup: groups.workers,
    ...(groups.service && { ServiceAccessSecurityGroup: groups.service }),
    ...(flow.keyName && { Ec2KeyName: flow.keyName }),
    KeepJobFlowAliveWhenNoSteps: stays,
    TerminationProtected: false,
    UnhealthyNodeReplacement: true,
  };
}

/** The command of a step: assets/steps/step.py, which runs spark-submit and keeps log and record. */
function stepArguments(flow: JobFlow, step: SparkStep): readonly string[] {
  const run: NodeRun = {
    ...flow,
    lake: `s3://${flow.bucket}`,
    ...(flow.stage === "hdfs" && { stageFolder: `hdfs:///oneoff/${flow.run}` }),
    conf: { "spark.executorEnv.AWS_REGION": flow.region },
  };
  return [
    ...["env", `AWS_REGION=${flow.region}`, NODE.python(RECORDER), `${NODE.code}/emr/step.py`],
    ...wrapperArguments(run, step),
    "--",
    ...yarnSubmit(run, step),
  ];
}
