/** What must hold of every resource of every stack on AWS, whatever it is for. */
import type { Resource } from "../engine/fake-provider.ts";

type Rule = (resource: Resource, all: readonly Resource[]) => string | undefined;

/** Types that take no tags (their arguments have none). */
const UNTAGGABLE = new Set([
  "aws:ec2/volumeAttachment:VolumeAttachment",
  "aws:athena/namedQuery:NamedQuery",
  "aws:cloudwatch/eventTarget:EventTarget",
  "aws:ec2/routeTableAssociation:RouteTableAssociation",
  "aws:emr/securityConfiguration:SecurityConfiguration",
  "aws:glue/catalogTable:CatalogTable",
  "aws:iam/rolePolicy:RolePolicy",
  "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
  "aws:lambda/invocation:Invocation",
  "aws:lambda/permission:Permission",
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
  "aws:s3/bucketPolicy:BucketPolicy",
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
  "aws:secretsmanager/secretVersion:SecretVersion",
]);

const WORLD = ["0.0.0.0/0", "::/0"];

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: unknown;
  readonly Principal?: { readonly AWS?: string | readonly string[] };
}
const list = (value: string | readonly string[] | undefined) => (value === undefined ? [] : [value].flat());

const allows = ({ properties }: Resource): readonly Statement[] => {
  const text = properties.policy ?? properties.assumeRolePolicy;
  if (typeof text !== "string") return [];
  const allowed = (JSON.parse(text).Statement as readonly Statement[]).filter(({ Effect }) => Effect === "Allow");
  // Leaves it to the account's own policies who may use a key.
  return allowed.filter(({ Principal }) => !list(Principal?.AWS).some((who) => who.endsWith(":root")));
};

/** Actions that know no resource, or whose condition narrows them (service authorization reference). */
const ANY_RESOURCE =
  /^(elasticmapreduce:(ListClusters|DescribeCluster|RunJobFlow)|autoscaling:DescribeAutoScalingGroups|ec2:Describe(Instances|Volumes|VpcEndpoints)|ssm:UpdateInstanceInformation|ssmmessages:\w+)$/;

export const rules: Readonly<Record<string, Rule>> = {
  "nobody in the world may connect": ({ type, properties }) => {
    const inline = ((properties.ingress ?? []) as { cidrBlocks?: string[] }[]).flatMap((rule) => rule.cidrBlocks ?? []);
    const own = type.endsWith(":SecurityGroupIngressRule") ? [properties.cidrIpv4, properties.cidrIpv6] : [];
    return [...inline, ...own].some((cidr) => WORLD.includes(cidr as string)) ? "lets the world in" : undefined;
  },
  "EC2 takes what groups are described by": ({ type, properties }) =>
    type === "aws:ec2/securityGroup:SecurityGroup" &&
    !/^[a-zA-Z0-9. _\-:/()#,@[\]+=&;{}!$*]{1,255}$/.test(String(properties.description))
      ? `has the description ${properties.description}`
      : undefined,
  "no rules inside of groups": ({ type, properties }) =>
    type === "aws:ec2/securityGroup:SecurityGroup" &&
    (properties.ingress || properties.egress || !properties.revokeRulesOnDelete)
      ? "has rules of its own, or does not revoke EMR's"
      : undefined,
  "no action is a star": (resource) => {
    const star = allows(resource)
      .flatMap(({ Action }) => list(Action))
      .find((action) => action.includes("*"));
    return star && `allows ${star}`;
  },
  "no resource is a star where there is a narrower one": (resource) => {
    const wide = allows(resource)
      .filter(({ Resource }) => list(Resource).includes("*"))
      .flatMap(({ Action, Condition }) => list(Action).filter((action) => !ANY_RESOURCE.test(action) && !Condition));
    return wide.length > 0 ? `allows ${wide.join(", ")} on everything` : undefined;
  },
  "what allows everybody, allows its own account alone": (resource) =>
    allows(resource).some(
      ({ Principal, Condition }) =>
        list(Principal?.AWS).includes("*") && !JSON.stringify(Condition ?? {}).includes("kms:CallerAccount"),
    )
      ? "allows the world"
      : undefined,
  "buckets are encrypted, closed and reached by TLS only": ({ type, properties }, all) => {
    if (type !== "aws:s3/bucket:Bucket") return undefined;
    const about = (type: string) =>
      all.find((other) => other.type === type && other.properties.bucket === properties.bucket)?.properties;
    const access = about("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock");
    const blocks = ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"];
    if (!blocks.every((block) => access?.[block] === true)) return "can be made public";
    if (!about("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"))
      return "is not encrypted";
    if (!String(about("aws:s3/bucketPolicy:BucketPolicy")?.policy).includes('"aws:SecureTransport":"false"'))
      return "takes plain HTTP";
    return undefined;
  },
  "disks are encrypted": ({ type, properties }) => {
    if (type === "aws:emr/securityConfiguration:SecurityConfiguration") {
      const { EncryptionConfiguration: encryption } = JSON.parse(String(properties.configuration));
      const disks = encryption.AtRestEncryptionConfiguration.LocalDiskEncryptionConfiguration.EnableEbsEncryption;
      return encryption.EnableInTransitEncryption && encryption.EnableAtRestEncryption && disks
        ? undefined
        : "does not encrypt";
    }
    if (type === "aws:ebs/volume:Volume") return properties.encrypted === true ? undefined : "is a plain disk";
    if (type === "aws:ec2/launchTemplate:LaunchTemplate") {
      const devices = properties.blockDeviceMappings as { ebs: { encrypted: string } }[];
      return devices.length > 0 && devices.every(({ ebs }) => ebs.encrypted === "true")
        ? undefined
        : "has a plain disk";
    }
    return undefined;
  },
  "query results are encrypted": ({ type, properties }) => {
    if (type !== "aws:athena/workgroup:Workgroup") return undefined;
    const { enforceWorkgroupConfiguration, resultConfiguration } = properties.configuration as Record<string, never>;
    const kept = (resultConfiguration as { encryptionConfiguration?: unknown } | undefined)?.encryptionConfiguration;
    return enforceWorkgroupConfiguration && kept ? undefined : "leaves plain results";
  },
  "metadata only by sessions": ({ type, properties }) => {
    if (type === "aws:ec2/launchTemplate:LaunchTemplate") {
      return (properties.metadataOptions as Record<string, string>).httpTokens === "required"
        ? undefined
        : "takes IMDSv1";
    }
    if (type !== "aws:emr/securityConfiguration:SecurityConfiguration") return undefined;
    const { InstanceMetadataServiceConfiguration: imds } = JSON.parse(String(properties.configuration));
    return imds.MinimumInstanceMetadataServiceVersion === 2 ? undefined : "takes IMDSv1";
  },
  "no long-lived keys": ({ type }) =>
    /:(AccessKey|User|KeyPair|ServiceSpecificCredential)$/.test(type)
      ? "is a key that lives until somebody deletes it"
      : undefined,
  "everything taggable carries the stack's tag": ({ type, properties }) => {
    if (!type.startsWith("aws:") || UNTAGGABLE.has(type)) return undefined;
    const tags = properties.tags as Record<string, string> | { key: string; value: string }[] | undefined;
    const tag = Array.isArray(tags) ? tags.find(({ key }) => key === "oneoff:stack")?.value : tags?.["oneoff:stack"];
    return tag?.startsWith("oneoff/") ? undefined : "has no tag oneoff:stack";
  },
  "what holds data can be destroyed": ({ type, properties }) => {
    if (["aws:s3/bucket:Bucket", "aws:athena/workgroup:Workgroup"].includes(type)) {
      return properties.forceDestroy ? undefined : "can't be destroyed while something is in it";
    }
    if (type === "aws:secretsmanager/secret:Secret") {
      return properties.recoveryWindowInDays === 0 ? undefined : "blocks its name for weeks";
    }
    if (type === "aws:cloudwatch/logGroup:LogGroup") {
      return properties.retentionInDays && !properties.skipDestroy ? undefined : "keeps logs for ever";
    }
    return properties.disableApiTermination || properties.terminationProtection
      ? "is protected from its end"
      : undefined;
  },
  "what costs by the hour has a deadline": ({ type, properties }) => {
    const isEndpoint = type === "aws:ec2/vpcEndpoint:VpcEndpoint" && properties.vpcEndpointType === "Interface";
    if (type === "aws:ec2/instance:Instance" || type === "aws:ebs/volume:Volume" || isEndpoint) {
      return (properties.tags as Record<string, string>)["oneoff:deadline"] ? undefined : "has no deadline";
    }
    if (type === "aws:autoscaling/group:Group") {
      const tags = properties.tags as { key: string; propagateAtLaunch: boolean }[];
      const deadline = tags.find(({ key }) => key === "oneoff:deadline");
      return deadline?.propagateAtLaunch ? undefined : "has no deadline, or its instances have none";
    }
    if (type !== "aws:lambda/invocation:Invocation") return undefined;
    const { request } = JSON.parse(String(properties.input));
    if (!request) return undefined; // the guard rents nothing
    const { Tags } = request;
    return Tags.some(({ Key }: { Key: string }) => Key === "oneoff:deadline") ? undefined : "rents without a deadline";
  },
};

/** Every breach of every rule, as "name: rule: what is wrong". */
export const breaches = (resources: readonly Resource[]): readonly string[] =>
  Object.entries(rules).flatMap(([rule, check]) =>
    resources.flatMap((resource) => {
      const wrong = check(resource, resources);
      return wrong ? [`${resource.name}: ${rule}: ${wrong}`] : [];
    }),
  );
