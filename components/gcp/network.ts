import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { cidrBlock } from "../../core/cidr.ts";
import { UsageError } from "../../core/errors.ts";
import { checkRegion, googleProject, googleRegion, ownedBy } from "./project.ts";

/** Where machines are put: a subnetwork of one VPC network, by their ids or self links. */
export interface GcpSubnet {
  readonly network: pulumi.Input<string>;
  /**
   * In the region of what is put there. It needs Private Google Access, a default route to the internet gateway, and a
   * rule that lets the machines of a cluster reach each other.
   */
  readonly subnetwork: pulumi.Input<string>;
}

export interface GcpNetworkArgs {
  /** Addresses of the subnetwork, a /16 to /24. @default "10.83.0.0/20" */
  readonly cidr?: string;
  /** Project that it is in. @default the provider's: setting `gcp:project`, else GOOGLE_CLOUD_PROJECT */
  readonly project?: string;
  /** @default the provider's: setting `gcp:region`, else GOOGLE_REGION */
  readonly region?: string;
}

/**
 * A VPC network of the stack's own: one subnetwork, whose machines reach each other and Google's APIs, and nobody reaches
 * them. There is no way to the internet: no machine has a public address, and there is no NAT gateway, which would cost
 * by the hour.
 */
export class GcpNetwork extends pulumi.ComponentResource implements GcpSubnet {
  /** Id of the network, `projects/.../global/networks/...`. */
  readonly network: pulumi.Output<string>;
  /** Id of the subnetwork, once its machines can reach each other. */
  readonly subnetwork: pulumi.Output<string>;
  /** Region of the subnetwork. */
  readonly region: string;
  /** What must be there before a machine is. */
  readonly parts: readonly pulumi.Resource[];

  /** @throws UsageError when `cidr` isn't a block of addresses, and where Pulumi isn't told of a project or region. */
  constructor(name: string, args: GcpNetworkArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:GcpNetwork", name, {}, opts);
    const cidr = args.cidr ?? "10.83.0.0/20";
    cidrBlock(cidr);
    const project = args.project ?? googleProject();
    const region = args.region === undefined ? googleRegion() : checkRegion("region", args.region);
    const network = new gcp.compute.Network(
      `${name}-network`,
      {
        project,
        description: ownedBy(name),
        autoCreateSubnetworks: false,
        // The way to Google's APIs is its default route: without a public address it leads nowhere else.
        deleteDefaultRoutesOnCreate: false,
      },
      { parent: this },
    );
    const subnetwork = new gcp.compute.Subnetwork(
      `${name}-subnet`,
      {
        project,
        region,
        network: network.id,
        description: ownedBy(name),
        ipCidrRange: cidr,
        privateIpGoogleAccess: true,
      },
      { parent: this },
    );
    const internal = new gcp.compute.Firewall(
      `${name}-internal`,
      {
        project,
        network: network.id,
        description: ownedBy(`${name}: its machines among themselves`),
        direction: "INGRESS",
        sourceRanges: [cidr],
        allows: ["tcp", "udp", "icmp"].map((protocol) => ({ protocol })),
      },
      { parent: this },
    );
    this.network = network.id;
    // Who puts machines into it wants them to reach each other.
    this.subnetwork = pulumi.all([subnetwork.id, internal.id]).apply(([id]) => id);
    this.region = region;
    this.parts = [network, subnetwork, internal];
    this.registerOutputs({ network: this.network, subnetwork: this.subnetwork, region });
  }
}

/** @throws UsageError when one half is given without the other. */
export function checkGcpSubnet(given: GcpSubnet): GcpSubnet {
  if (!given.network) {
    throw new UsageError("network has a subnetwork and no network: give the VPC network that the subnetwork is in");
  }
  if (!given.subnetwork) {
    throw new UsageError("network has a network and no subnetwork: give one of its region, or use new GcpNetwork()");
  }
  return given;
}
