/** What the providers of packages gcp and random would answer, as far as the stacks look at it. */
import type { FakeOptions, Properties } from "../engine/fake-provider.ts";
import { randomHex } from "./fake-random.ts";

export const PROJECT = "my-project";
const PROJECT_NUMBER = "123456789012";
export const REGION = "europe-west1";

const COMPUTE = "https://www.googleapis.com/compute/v1/";
/** `bigquerydatatransfer.googleapis.com` is of `bigquerydatatransfer`. */
const serviceOf = (host: unknown) => String(host).split(".")[0] as string;
const last = (path: unknown) => String(path).split("/").at(-1) as string;
const account = (email: string) => ({ email, member: `serviceAccount:${email}` });

/** Where the component gateway puts JupyterLab. */
const GATEWAY = "https://gateway-dot-europe-west1.dataproc.googleusercontent.com/gateway/default/jupyter/lab/";

interface Asked {
  readonly inputs: Properties;
  /** Name of the physical resource: as asked for, else Pulumi's own. */
  readonly name: string;
  readonly project: unknown;
  readonly location: unknown;
}

/** By type, what the provider computes beside inputs, name, project and labels. */
const OUTPUTS: Readonly<Record<string, (asked: Asked) => Properties>> = {
  "gcp:bigquery/dataTransferConfig:DataTransferConfig": ({ name, location }) => ({
    name: `projects/${PROJECT_NUMBER}/locations/${location}/transferConfigs/${name}`,
  }),
  "gcp:bigquery/dataset:Dataset": ({ inputs, project }) => ({
    selfLink: `https://bigquery.googleapis.com/bigquery/v2/projects/${project}/datasets/${inputs.datasetId}`,
  }),
  "gcp:bigquery/job:Job": () => ({ jobType: "LOAD", statuses: [{ state: "DONE" }] }),
  "gcp:bigquery/table:Table": ({ inputs, project }) => ({
    selfLink: `https://bigquery.googleapis.com/bigquery/v2/projects/${project}/datasets/${inputs.datasetId}/tables/${inputs.tableId}`,
    numRows: 0,
  }),
  "gcp:cloudrunv2/job:Job": ({ inputs, name }) => ({
    executionCount: 1,
    latestCreatedExecutions: [{ name: `${name}-${inputs.startExecutionToken ?? inputs.runExecutionToken}` }],
  }),
  "gcp:compute/firewall:Firewall": ({ name, project }) => ({
    selfLink: `${COMPUTE}projects/${project}/global/firewalls/${name}`,
  }),
  "gcp:compute/instance:Instance": ({ inputs, name, project }) => ({
    selfLink: `${COMPUTE}projects/${project}/zones/${inputs.zone}/instances/${name}`,
    instanceId: "1234567890123456789",
    currentStatus: "RUNNING",
  }),
  "gcp:compute/network:Network": ({ name, project }) => ({
    selfLink: `${COMPUTE}projects/${project}/global/networks/${name}`,
  }),
  "gcp:compute/subnetwork:Subnetwork": ({ name, project, location }) => ({
    selfLink: `${COMPUTE}projects/${project}/regions/${location}/subnetworks/${name}`,
  }),
  "gcp:dataproc/autoscalingPolicy:AutoscalingPolicy": ({ inputs, project, location }) => ({
    name: `projects/${project}/locations/${location}/autoscalingPolicies/${inputs.policyId}`,
  }),
  "gcp:dataproc/cluster:Cluster": ({ inputs }) => {
    const config = inputs.clusterConfig as { endpointConfig?: { enableHttpPortAccess?: boolean } } | undefined;
    if (!config?.endpointConfig?.enableHttpPortAccess) return {};
    return {
      clusterConfig: { ...config, endpointConfig: { ...config.endpointConfig, httpPorts: { JupyterLab: GATEWAY } } },
    };
  },
  "gcp:dataproc/workflowTemplate:WorkflowTemplate": () => ({ version: 1 }),
  "gcp:projects/serviceIdentity:ServiceIdentity": ({ inputs }) =>
    account(`service-${PROJECT_NUMBER}@gcp-sa-${serviceOf(inputs.service)}.iam.gserviceaccount.com`),
  "gcp:secretmanager/secret:Secret": ({ inputs }) => ({
    name: `projects/${PROJECT_NUMBER}/secrets/${inputs.secretId}`,
  }),
  "gcp:secretmanager/secretVersion:SecretVersion": ({ inputs }) => ({
    name: `projects/${PROJECT_NUMBER}/secrets/${last(inputs.secret)}/versions/1`,
    version: "1",
  }),
  "gcp:serviceaccount/account:Account": ({ inputs, project }) => {
    const email = `${inputs.accountId}@${project}.iam.gserviceaccount.com`;
    return {
      ...account(email),
      name: `projects/${project}/serviceAccounts/${email}`,
      uniqueId: "100000000000000000000",
    };
  },
  "gcp:storage/bucket:Bucket": ({ name }) => ({
    url: `gs://${name}`,
    selfLink: `https://www.googleapis.com/storage/v1/b/${name}`,
    projectNumber: Number(PROJECT_NUMBER),
  }),
  "gcp:storage/bucketObject:BucketObject": ({ inputs, name }) => ({
    outputName: name,
    mediaLink: `https://storage.googleapis.com/download/storage/v1/b/${inputs.bucket}/o/${encodeURIComponent(name)}?alt=media`,
    generation: 1,
  }),
};

/** Types without a name of their own, which Pulumi makes up for all others. */
const NAMELESS = /(IamMember|IAMMember|:Service|:ServiceIdentity|:Account|:Dataset|:Table|bigquery\/job:Job)$/;

function outputs(type: string, logical: string, inputs: Properties): Properties {
  if (type === "random:index/randomId:RandomId") return { hex: randomHex(logical) };
  if (!type.startsWith("gcp:")) return {};
  const name = (inputs.name as string | undefined) ?? `${logical}-${randomHex(logical).slice(1)}`;
  const project = inputs.project ?? PROJECT;
  const location = inputs.location ?? inputs.region ?? REGION;
  return {
    project,
    ...(!NAMELESS.test(type) && { name }),
    ...(inputs.labels !== undefined && { effectiveLabels: inputs.labels, pulumiLabels: inputs.labels }),
    ...OUTPUTS[type]?.({ inputs, name, project, location }),
  };
}

export const fakeGcp: FakeOptions = {
  outputs,
  // A bucket that is destroyed by force takes its objects along, and who was let in; a dataset its tables.
  goesWith: (other, { type, properties }) => {
    if (type === "gcp:storage/bucket:Bucket")
      return other.type.startsWith("gcp:storage/") && other.properties.bucket === properties.name;
    if (type !== "gcp:bigquery/dataset:Dataset") return false;
    return other.type.startsWith("gcp:bigquery/") && other.properties.datasetId === properties.datasetId;
  },
  // The only function that a program may call: a project's number is in the names of Google's own accounts.
  invoke: (token, args) => {
    if (token !== "gcp:organizations/getProject:getProject") throw new Error(`${token} was not expected`);
    const projectId = args.projectId ?? PROJECT;
    return { id: `projects/${projectId}`, projectId, number: PROJECT_NUMBER, name: projectId };
  },
};
