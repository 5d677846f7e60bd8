import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { zipSync } from "fflate";
import { Prefix } from "../../../core/lake-layout.ts";
import { physicalName, stackTags } from "../../common/naming.ts";
import type { S3Lake } from "../lake.ts";

export interface SecurityConfigurationOptions {
  /** Address of the archive with the certificate. */
  readonly certificate: string;
  /** ARN of the key that encrypts the disks. */
  readonly diskKey: string;
}

/**
 * What EMR takes as a security configuration: a JSON text without a schema.
 * https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-create-security-configuration.html
 */
export function securityConfiguration({ certificate, diskKey }: SecurityConfigurationOptions): string {
  return JSON.stringify({
    EncryptionConfiguration: {
      EnableInTransitEncryption: true,
      EnableAtRestEncryption: true,
      InTransitEncryptionConfiguration: {
        TLSCertificateConfiguration: { CertificateProviderType: "PEM", S3Object: certificate },
      },
      AtRestEncryptionConfiguration: {
        S3EncryptionConfiguration: { EncryptionMode: "SSE-S3" },
        LocalDiskEncryptionConfiguration: {
          EncryptionKeyProviderType: "AwsKms",
          AwsKmsKey: diskKey,
          EnableEbsEncryption: true,
        },
      },
    },
    InstanceMetadataServiceConfiguration: {
      MinimumInstanceMetadataServiceVersion: 2,
      HttpPutResponseHopLimit: 1,
    },
  });
}

export interface ClusterSecurity {
  readonly configurationName: pulumi.Output<string>;
  readonly diskKeyArn: pulumi.Output<string>;
  readonly parts: readonly pulumi.Resource[];
}

/** Encryption of a cluster: a key for its disks, a certificate made for it alone, and the configuration that says so. */
export function clusterSecurity(
  name: string,
  lake: S3Lake,
  hex: pulumi.Input<string>,
  parent: pulumi.Resource,
): ClusterSecurity {
  const key = new aws.kms.Key(
    `${name}-key`,
    {
      description: `Disks of cluster ${name}`,
      enableKeyRotation: true,
      deletionWindowInDays: 7, // the least; a key that waits for its end costs nothing
      policy: diskKeyPolicy(lake),
      tags: stackTags(),
    },
    { parent },
  );
  const certificate = makeCertificate(name, lake, hex, parent);
  const configuration = new aws.emr.SecurityConfiguration(
    `${name}-security`,
    {
      name: physicalName(name, hex),
      configuration: pulumi
        .all([certificate.bucket, certificate.key, key.arn])
        .apply(([bucket, object, diskKey]) =>
          securityConfiguration({ certificate: `s3://${bucket}/${object}`, diskKey }),
        ),
    },
    { parent },
  );
  return { configurationName: configuration.name, diskKeyArn: key.arn, parts: [configuration, certificate] };
}

/**
 * The account's own policies say who may use the key, as for any key. Beside them whoever may use EBS in the account may
 * use it for disks: machines that a fleet launches are not launched by the role that asked for the fleet
 * (https://github.com/aws/karpenter-provider-aws/issues/1407).
 */
function diskKeyPolicy(lake: S3Lake): pulumi.Output<string> {
  return pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "PoliciesOfTheAccount",
        Effect: "Allow",
        Principal: { AWS: pulumi.interpolate`arn:aws:iam::${lake.account}:root` },
        Action: "kms:*",
        Resource: "*",
      },
      {
        Sid: "DisksOfTheAccount",
        Effect: "Allow",
        Principal: { AWS: "*" },
        Action: [
          "kms:CreateGrant",
          "kms:Decrypt",
          "kms:DescribeKey",
          "kms:Encrypt",
          "kms:GenerateDataKey",
          "kms:GenerateDataKeyWithoutPlaintext",
          "kms:ReEncryptFrom",
          "kms:ReEncryptTo",
        ],
        Resource: "*",
        Condition: {
          StringEquals: {
            "kms:CallerAccount": lake.account,
            "kms:ViaService": pulumi.interpolate`ec2.${lake.region}.amazonaws.com`,
          },
        },
      },
    ],
  });
}

/**
 * A self-signed certificate for the nodes' private names, as the archive that EMR wants. It and its key are secret in
 * Pulumi's state, and in the lake only the cluster's own role can read them.
 */
function makeCertificate(
  name: string,
  lake: S3Lake,
  hex: pulumi.Input<string>,
  parent: pulumi.Resource,
): aws.s3.BucketObjectv2 {
  const privateKey = new tls.PrivateKey(`${name}-tls-key`, { algorithm: "RSA", rsaBits: 2048 }, { parent });
  const domain = lake.region.apply((region) =>
    region === "us-east-1" ? "*.ec2.internal" : `*.${region}.compute.internal`,
  );
  const certificate = new tls.SelfSignedCert(
    `${name}-tls`,
    {
      privateKeyPem: privateKey.privateKeyPemPkcs8,
      subject: { commonName: domain },
      dnsNames: [domain],
      allowedUses: ["digital_signature", "key_encipherment", "server_auth", "client_auth"],
      validityPeriodHours: 365 * 24,
      earlyRenewalHours: 30 * 24,
    },
    { parent },
  );
  const archive = pulumi
    .all([privateKey.privateKeyPemPkcs8, certificate.certPem])
    .apply(([key, chain]) =>
      archiveOf({ "privateKey.pem": key, "certificateChain.pem": chain, "trustedCertificates.pem": chain }),
    );
  return new aws.s3.BucketObjectv2(
    `${name}-certificate`,
    {
      bucket: lake.bucket,
      key: pulumi.interpolate`${Prefix.certificates}/${name}-${hex}.zip`,
      contentBase64: pulumi.secret(archive),
      tags: stackTags(),
    },
    { parent },
  );
}

/** The same files make the same archive: without the time, which would be a change. */
function archiveOf(files: Readonly<Record<string, string>>): string {
  const encoder = new TextEncoder();
  const entries = Object.entries(files).map(([name, text]) => [name, encoder.encode(text)] as const);
  return Buffer.from(zipSync(Object.fromEntries(entries), { mtime: "1980-01-01T00:00:00" })).toString("base64");
}
