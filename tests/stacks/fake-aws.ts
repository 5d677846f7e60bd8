/** What the AWS, random and TLS providers would answer, as far as the stacks look at it. */
import { createHash } from "node:crypto";
import type { FakeOptions, Properties } from "../engine/fake-provider.ts";

export const ACCOUNT = "123456789012";
export const REGION = "us-west-2";

/** `aws:s3/bucket:Bucket` is of service s3. */
const service = (type: string) => (type.split(":")[1] as string).split("/")[0] as string;

const OUTPUTS: Readonly<Record<string, (name: string, inputs: Properties) => Properties>> = {
  "random:index/randomId:RandomId": (name) => ({ hex: hexOf(name) }),
  "tls:index/privateKey:PrivateKey": () => ({ privateKeyPemPkcs8: "-----BEGIN PRIVATE KEY-----" }),
  "tls:index/selfSignedCert:SelfSignedCert": () => ({ certPem: "-----BEGIN CERTIFICATE-----" }),
  "aws:s3/bucket:Bucket": (_, { bucket }) => ({ arn: `arn:aws:s3:::${bucket}`, region: REGION }),
  "aws:ec2/launchTemplate:LaunchTemplate": () => ({ latestVersion: 1 }),
  "aws:ec2/networkInterface:NetworkInterface": (name) => ({
    privateIp: `10.84.0.${10 + (sha256(name).charCodeAt(0) % 200)}`,
  }),
  "random:index/randomPassword:RandomPassword": () => ({ result: "secret" }),
  "aws:ec2/vpcEndpoint:VpcEndpoint": (_, { vpcEndpointType }) =>
    vpcEndpointType === "Gateway" ? { prefixListId: "pl-s3" } : {},
  "aws:lambda/invocation:Invocation": (_, { input }) => {
    const { run, manifests } = JSON.parse(String(input));
    if (manifests)
      return { result: JSON.stringify({ manifests: digestsOf(manifests), files: 0, copied: 0, bytes: 0 }) };
    return { result: JSON.stringify(run ? { run, cluster: `j-RUN${run}`, launched: "2026-01-01T00:00:00Z" } : {}) };
  },
};

/** As the stager answers: another manifest has another digest. */
const digestsOf = (manifests: Properties) =>
  Object.fromEntries(Object.entries(manifests).map(([name, parts]) => [name, sha256(JSON.stringify(parts))]));
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

let made = 0;
/** Another one for each resource, as the real one would be. */
const hexOf = (name: string) =>
  `${(made++ % 256).toString(16).padStart(2, "0")}${Buffer.from(name).toString("hex")}`.slice(0, 8).padEnd(8, "0");

export const fakeAws: FakeOptions = {
  outputs: (type, name, inputs) => {
    const own = OUTPUTS[type]?.(name, inputs);
    if (!type.startsWith("aws:")) return own ?? {};
    const physical = (inputs.name as string | undefined) ?? `${name}-${hexOf(name)}`;
    return {
      arn: `arn:aws:${service(type)}:${REGION}:${ACCOUNT}:${name}`,
      ...(inputs.bucket === undefined && { name: physical }),
      ...own,
    };
  },
  // A bucket that is destroyed by force takes its objects along, and its settings; a database of Glue its tables; an instance what
  // attaches volumes to it.
  goesWith: (other, { id, type, properties }) => {
    if (type === "aws:ec2/instance:Instance") return other.properties.instanceId === id;
    if (type === "aws:s3/bucket:Bucket")
      return other.type.startsWith("aws:s3/") && other.properties.bucket === properties.bucket;
    if (type !== "aws:glue/catalogDatabase:CatalogDatabase") return false;
    return other.type === "aws:glue/catalogTable:CatalogTable" && other.properties.databaseName === properties.name;
  },
  invoke: (token, args) => {
    if (token !== "aws:index/getAvailabilityZones:getAvailabilityZones") throw new Error(`${token} was not expected`);
    return { ...args, id: REGION, names: [`${REGION}a`, `${REGION}b`, `${REGION}c`], zoneIds: [], groupNames: [] };
  },
};
