/** A cluster's configuration, as a cluster of its own and a workflow template take it: alike but for names. */
import type * as gcp from "@pulumi/gcp";
import type * as pulumi from "@pulumi/pulumi";
import type { GcpSubnet } from "../network.ts";
import type { DataprocKerberos, DataprocPlan } from "./args.ts";

/** What a cluster is made of, beside the plan. */
export interface ClusterParts {
  readonly lake: {
    readonly bucket: pulumi.Input<string>;
    readonly staging: pulumi.Input<string>;
    readonly temporary: pulumi.Input<string>;
  };
  readonly network: GcpSubnet;
  /** E-mail address of the machines' service account. */
  readonly account: pulumi.Input<string>;
  /** Attributes by which the machines find code and wheels. */
  readonly metadata: pulumi.Input<Record<string, string>>;
  /** Address of assets/nodes/dataproc/init.sh. */
  readonly setUp: pulumi.Input<string>;
  /** Name of the autoscaling policy. */
  readonly policy?: pulumi.Input<string> | undefined;
  readonly kerberos?: DataprocKerberos | undefined;
  readonly kmsKey?: pulumi.Input<string> | undefined;
}

/** Setting up Python takes a minute or two; a node that is late is none. */
const SET_UP = 600;

const CLOUD = "https://www.googleapis.com/auth/cloud-platform";

/** The part that both take as it is. */
function sharedClusterConfig(plan: DataprocPlan, { lake, network, account, metadata }: ClusterParts) {
  const diskConfig = { bootDiskType: "pd-balanced", bootDiskSizeGb: plan.diskGibibytes };
  const { count, type } = plan.workers;
  return {
    stagingBucket: lake.staging,
    tempBucket: lake.temporary,
    gceClusterConfig: {
      subnetwork: network.subnetwork,
      internalIpOnly: true,
      serviceAccount: account,
      serviceAccountScopes: [CLOUD],
      shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
      metadata,
    },
    masterConfig: { numInstances: 1, machineType: plan.primary, diskConfig },
    ...(count > 0 && { workerConfig: { numInstances: count, machineType: type, diskConfig } }),
  };
}

/** Spot machines, which go when Google wants them: they have no HDFS, and Spark computes again what was on them. */
const secondary = ({ workers, diskGibibytes }: DataprocPlan) => ({
  numInstances: workers.spot,
  preemptibility: "SPOT",
  diskConfig: { bootDiskType: "pd-balanced", bootDiskSizeGb: diskGibibytes },
});

const hasSecondary = ({ workers }: DataprocPlan): boolean => workers.spot > 0 || workers.upTo !== undefined;

/** Properties of the cluster's services, with the prefix of the file that they stand in. */
const properties = ({ workers }: DataprocPlan) => ({
  ...(workers.count === 0 && { "dataproc:dataproc.allow.zero.workers": "true" }),
  "spark:spark.io.encryption.enabled": "true", // of what is spilled to disks
});

/** For gcp.dataproc.Cluster. It stays for its idle limit, with JupyterLab behind the component gateway. */
export function clusterConfig(
  plan: DataprocPlan,
  parts: ClusterParts,
  ends: Date,
): gcp.types.input.dataproc.ClusterClusterConfig {
  const { kerberos, kmsKey, policy } = parts;
  return {
    ...sharedClusterConfig(plan, parts),
    lifecycleConfig: { idleDeleteTtl: `${plan.idleSeconds}s`, autoDeleteTime: pointInTime(ends) },
    endpointConfig: { enableHttpPortAccess: true },
    softwareConfig: {
      imageVersion: plan.imageVersion,
      optionalComponents: ["JUPYTER"],
      overrideProperties: properties(plan),
    },
    initializationActions: [{ script: parts.setUp, timeoutSec: SET_UP }],
    ...(hasSecondary(plan) && { preemptibleWorkerConfig: secondary(plan) }),
    ...(policy && { autoscalingConfig: { policyUri: policy } }),
    ...(kmsKey && { encryptionConfig: { kmsKeyName: kmsKey } }),
    ...(kerberos && {
      securityConfig: {
        kerberosConfig: {
          enableKerberos: true,
          kmsKeyUri: kerberos.kmsKey,
          rootPrincipalPasswordUri: kerberos.rootPassword,
        },
      },
    }),
  };
}

/** For the managed cluster of gcp.dataproc.WorkflowTemplate. It ends with the workflow; the age is for when that is lost. */
export function managedConfig(
  plan: DataprocPlan,
  parts: ClusterParts,
): gcp.types.input.dataproc.WorkflowTemplatePlacementManagedClusterConfig {
  const { kerberos, kmsKey, policy } = parts;
  return {
    ...sharedClusterConfig(plan, parts),
    lifecycleConfig: { autoDeleteTtl: `${plan.deadlineSeconds}s` },
    endpointConfig: { enableHttpPortAccess: true },
    softwareConfig: {
      imageVersion: plan.imageVersion,
      properties: properties(plan),
    },
    initializationActions: [{ executableFile: parts.setUp, executionTimeout: `${SET_UP}s` }],
    ...(hasSecondary(plan) && { secondaryWorkerConfig: secondary(plan) }),
    ...(policy && { autoscalingConfig: { policy } }),
    ...(kmsKey && { encryptionConfig: { gcePdKmsKeyName: kmsKey } }),
    ...(kerberos && {
      securityConfig: {
        kerberosConfig: {
          enableKerberos: true,
          kmsKey: kerberos.kmsKey,
          rootPrincipalPassword: kerberos.rootPassword,
        },
      },
    }),
  };
}

/** As Google writes it, so that it is the same when it is read again. */
const pointInTime = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, "Z");
