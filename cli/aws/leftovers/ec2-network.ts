import {
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVpcEndpointsCommand,
  type EC2Client,
} from "@aws-sdk/client-ec2";
import { paginate } from "../client.ts";
import { ownerIn } from "./sweep.ts";

/** Something of EC2, by the names of DescribeTags. */
export interface Ec2Thing {
  readonly type: string;
  readonly id: string;
  /** The stack that its tag names. */
  readonly owner?: string | undefined;
}

/**
 * What stands in the stack's VPCs without its tag, and in the way of their removal: services make interface endpoints and
 * security groups (`ElasticMapReduce-...`) there and don't always take them away. Another stack's has that stack's tag.
 *
 * @param own what carries the stack's tag. Network interfaces of its instances go with them, and aren't told.
 */
export async function insideVpcs(ec2: EC2Client, own: readonly Ec2Thing[]): Promise<readonly Ec2Thing[]> {
  const idsOf = (type: string) => own.filter((thing) => thing.type === type).map(({ id }) => id);
  const vpcs = idsOf("vpc");
  if (vpcs.length === 0) return [];
  const Filters = [{ Name: "vpc-id", Values: vpcs }];
  const [endpoints, interfaces, groups] = await Promise.all([
    paginate(async (NextToken) => {
      const page = await ec2.send(new DescribeVpcEndpointsCommand({ Filters, NextToken }));
      return [page.VpcEndpoints, page.NextToken];
    }),
    paginate(async (NextToken) => {
      const page = await ec2.send(new DescribeNetworkInterfacesCommand({ Filters, NextToken }));
      return [page.NetworkInterfaces, page.NextToken];
    }),
    paginate(async (NextToken) => {
      const page = await ec2.send(new DescribeSecurityGroupsCommand({ Filters, NextToken }));
      return [page.SecurityGroups, page.NextToken];
    }),
  ]);
  const known = new Set(own.map(({ id }) => id));
  const parts = new Set(endpoints.flatMap(({ NetworkInterfaceIds }) => NetworkInterfaceIds ?? []));
  return [
    ...endpoints
      .filter(({ VpcEndpointType }) => VpcEndpointType === "Interface")
      .map(({ VpcEndpointId, Tags }) => ({ type: "vpc-endpoint", id: VpcEndpointId as string, owner: ownerIn(Tags) })),
    ...interfaces
      .filter(({ NetworkInterfaceId = "", Attachment }) => {
        return !parts.has(NetworkInterfaceId) && !known.has(Attachment?.InstanceId ?? "");
      })
      .map(({ NetworkInterfaceId, TagSet }) => ({
        type: "network-interface",
        id: NetworkInterfaceId as string,
        owner: ownerIn(TagSet),
      })),
    ...groups
      .filter(({ GroupName }) => GroupName?.startsWith("ElasticMapReduce-"))
      .map(({ GroupId, Tags }) => ({ type: "security-group", id: GroupId as string, owner: ownerIn(Tags) })),
  ].filter(({ id }) => !known.has(id));
}
