import {
  DeleteInternetGatewayCommand,
  DeleteKeyPairCommand,
  DeleteLaunchTemplateCommand,
  DeleteNatGatewayCommand,
  DeleteNetworkAclCommand,
  DeleteNetworkInterfaceCommand,
  DeleteRouteTableCommand,
  DeleteSecurityGroupCommand,
  DeleteSnapshotCommand,
  DeleteSubnetCommand,
  DeleteVolumeCommand,
  DeleteVpcCommand,
  DeleteVpcEndpointsCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeInternetGatewaysCommand,
  DescribeKeyPairsCommand,
  DescribeLaunchTemplatesCommand,
  DescribeNatGatewaysCommand,
  DescribeNetworkAclsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSnapshotsCommand,
  DescribeSubnetsCommand,
  DescribeVolumesCommand,
  DescribeVpcEndpointsCommand,
  DescribeVpcsCommand,
  DetachInternetGatewayCommand,
  type EC2Client,
  ReleaseAddressCommand,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { until } from "../../removal.ts";
import { orUndefined } from "../client.ts";
import { Order } from "./sweep.ts";

interface Kind {
  readonly kind: string;
  readonly order: number;
  readonly prepare?: (ec2: EC2Client, id: string) => Promise<void>;
  readonly remove: (ec2: EC2Client, id: string) => Promise<unknown>;
  /** Tags stay for a while after what they are on. */
  readonly look: (ec2: EC2Client, id: string) => Promise<Look>;
}

interface Look {
  readonly there: boolean;
  readonly since?: Date | undefined;
}

/** A thing is there when it is described. */
const described =
  <T>(ask: (ec2: EC2Client, id: string) => Promise<T>, items: (answer: T) => readonly unknown[] | undefined) =>
  async (ec2: EC2Client, id: string): Promise<Look> => {
    const answer = await orUndefined(ask(ec2, id));
    return { there: answer !== undefined && (items(answer)?.length ?? 0) > 0 };
  };

/** What EC2 has, by the names of DescribeTags. */
export const EC2_KINDS: Readonly<Record<string, Kind>> = {
  instance: {
    kind: "EC2 instance",
    order: Order.machines,
    look: lookAtInstance,
    async remove(ec2, id) {
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
      await until(async () => (await instance(ec2, id))?.State?.Name !== "shutting-down");
    },
  },
  natgateway: {
    kind: "NAT gateway",
    order: Order.endpoints,
    look: lookAtNat,
    async remove(ec2, id) {
      await ec2.send(new DeleteNatGatewayCommand({ NatGatewayId: id }));
      await until(async () => !(await natStates(ec2, id)).some((state) => state !== "deleted"));
    },
  },
  "vpc-endpoint": {
    kind: "VPC endpoint",
    order: Order.endpoints,
    look: lookAtEndpoint,
    async remove(ec2, id) {
      const { Unsuccessful: [failed] = [] } = await ec2.send(new DeleteVpcEndpointsCommand({ VpcEndpointIds: [id] }));
      if (failed) throw new Error(failed.Error?.Message ?? failed.Error?.Code);
      await until(async () => !(await endpointStates(ec2, id)).some((state) => state !== "deleted"));
    },
  },
  "network-interface": {
    kind: "network interface",
    order: Order.interfaces,
    look: described(
      (ec2, id) => ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [id] })),
      ({ NetworkInterfaces }) => NetworkInterfaces,
    ),
    remove: (ec2, id) => ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: id })),
  },
  "elastic-ip": {
    kind: "Elastic IP address",
    order: Order.interfaces,
    look: described(
      (ec2, id) => ec2.send(new DescribeAddressesCommand({ AllocationIds: [id] })),
      ({ Addresses }) => Addresses,
    ),
    remove: (ec2, id) => ec2.send(new ReleaseAddressCommand({ AllocationId: id })),
  },
  volume: {
    kind: "EBS volume",
    order: Order.disks,
    look: described(
      (ec2, id) => ec2.send(new DescribeVolumesCommand({ VolumeIds: [id] })),
      ({ Volumes }) => Volumes,
    ),
    remove: (ec2, id) => ec2.send(new DeleteVolumeCommand({ VolumeId: id })),
  },
  snapshot: {
    kind: "EBS snapshot",
    order: Order.disks,
    look: described(
      (ec2, id) => ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [id] })),
      ({ Snapshots }) => Snapshots,
    ),
    remove: (ec2, id) => ec2.send(new DeleteSnapshotCommand({ SnapshotId: id })),
  },
  "launch-template": {
    kind: "launch template",
    order: Order.disks,
    look: described(
      (ec2, id) => ec2.send(new DescribeLaunchTemplatesCommand({ LaunchTemplateIds: [id] })),
      ({ LaunchTemplates }) => LaunchTemplates,
    ),
    remove: (ec2, id) => ec2.send(new DeleteLaunchTemplateCommand({ LaunchTemplateId: id })),
  },
  "key-pair": {
    kind: "key pair",
    order: Order.disks,
    look: described(
      (ec2, id) => ec2.send(new DescribeKeyPairsCommand({ KeyPairIds: [id] })),
      ({ KeyPairs }) => KeyPairs,
    ),
    remove: (ec2, id) => ec2.send(new DeleteKeyPairCommand({ KeyPairId: id })),
  },
  "security-group": {
    kind: "security group",
    order: Order.securityGroups,
    prepare: revokeAll, // groups that name each other can't be deleted
    look: described(
      (ec2, id) => ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [id] })),
      ({ SecurityGroups }) => SecurityGroups,
    ),
    remove: (ec2, id) => ec2.send(new DeleteSecurityGroupCommand({ GroupId: id })),
  },
  subnet: {
    kind: "subnet",
    order: Order.subnets,
    look: described(
      (ec2, id) => ec2.send(new DescribeSubnetsCommand({ SubnetIds: [id] })),
      ({ Subnets }) => Subnets,
    ),
    remove: (ec2, id) => ec2.send(new DeleteSubnetCommand({ SubnetId: id })),
  },
  "route-table": {
    kind: "route table",
    order: Order.routes,
    look: described(
      (ec2, id) => ec2.send(new DescribeRouteTablesCommand({ RouteTableIds: [id] })),
      ({ RouteTables }) => RouteTables,
    ),
    remove: (ec2, id) => ec2.send(new DeleteRouteTableCommand({ RouteTableId: id })),
  },
  "network-acl": {
    kind: "network ACL",
    order: Order.routes,
    look: described(
      (ec2, id) => ec2.send(new DescribeNetworkAclsCommand({ NetworkAclIds: [id] })),
      ({ NetworkAcls }) => NetworkAcls,
    ),
    remove: (ec2, id) => ec2.send(new DeleteNetworkAclCommand({ NetworkAclId: id })),
  },
  "internet-gateway": {
    kind: "internet gateway",
    order: Order.gateways,
    look: described(
      (ec2, id) => ec2.send(new DescribeInternetGatewaysCommand({ InternetGatewayIds: [id] })),
      ({ InternetGateways }) => InternetGateways,
    ),
    remove: removeInternetGateway,
  },
  vpc: {
    kind: "VPC",
    order: Order.networks,
    look: described(
      (ec2, id) => ec2.send(new DescribeVpcsCommand({ VpcIds: [id] })),
      ({ Vpcs }) => Vpcs,
    ),
    remove: (ec2, id) => ec2.send(new DeleteVpcCommand({ VpcId: id })),
  },
};

async function instance(ec2: EC2Client, id: string) {
  const found = await orUndefined(ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] })));
  return found?.Reservations?.[0]?.Instances?.[0];
}

async function lookAtInstance(ec2: EC2Client, id: string) {
  const found = await instance(ec2, id);
  const state = found?.State?.Name;
  return {
    there: found !== undefined && state !== "terminated" && state !== "shutting-down",
    since: found?.LaunchTime,
  };
}

async function natStates(ec2: EC2Client, id: string): Promise<readonly (string | undefined)[]> {
  const found = await orUndefined(ec2.send(new DescribeNatGatewaysCommand({ NatGatewayIds: [id] })));
  return found?.NatGateways?.map(({ State }) => State) ?? [];
}

async function lookAtNat(ec2: EC2Client, id: string) {
  return { there: (await natStates(ec2, id)).some((state) => state !== "deleted" && state !== "deleting") };
}

async function endpointStates(ec2: EC2Client, id: string): Promise<readonly (string | undefined)[]> {
  const found = await orUndefined(ec2.send(new DescribeVpcEndpointsCommand({ VpcEndpointIds: [id] })));
  return found?.VpcEndpoints?.map(({ State }) => State?.toLowerCase()) ?? [];
}

async function lookAtEndpoint(ec2: EC2Client, id: string) {
  return { there: (await endpointStates(ec2, id)).some((state) => state !== "deleted" && state !== "deleting") };
}

async function revokeAll(ec2: EC2Client, id: string): Promise<void> {
  const { SecurityGroups: [group] = [] } = await ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [id] }));
  const { IpPermissions = [], IpPermissionsEgress = [] } = group ?? {};
  if (IpPermissions.length > 0) await ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId: id, IpPermissions }));
  if (IpPermissionsEgress.length > 0) {
    await ec2.send(new RevokeSecurityGroupEgressCommand({ GroupId: id, IpPermissions: IpPermissionsEgress }));
  }
}

async function removeInternetGateway(ec2: EC2Client, id: string): Promise<void> {
  const ids = { InternetGatewayIds: [id] };
  const { InternetGateways: [gateway] = [] } = await ec2.send(new DescribeInternetGatewaysCommand(ids));
  for (const { VpcId } of gateway?.Attachments ?? []) {
    await ec2.send(new DetachInternetGatewayCommand({ InternetGatewayId: id, VpcId }));
  }
  await ec2.send(new DeleteInternetGatewayCommand({ InternetGatewayId: id }));
}
