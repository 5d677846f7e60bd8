import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { checkGcpSubnet, GcpNetwork } from "../../../components/gcp/network.ts";
import { UsageError } from "../../../core/errors.ts";
import { type Registered, record, result, settle } from "../mocks.ts";

process.env.GOOGLE_PROJECT = "my-project";
process.env.GOOGLE_REGION = "europe-west1";

let resources: Registered[];
beforeAll(() => {
  resources = record().resources;
});
afterEach(() => {
  resources.length = 0;
});

const ours = () => resources.filter(({ custom }) => custom);
const named = (name: string) => resources.find((resource) => resource.name === name)?.inputs;

test("one subnetwork whose machines reach each other and Google, and whom nobody reaches", async () => {
  const network = await settle(() => new GcpNetwork("net"));
  expect(resources[0]).toMatchObject({ type: "oneoff:index:GcpNetwork", name: "net" });
  expect(named("net-network")).toEqual({
    project: "my-project",
    description: "oneoff/test net",
    autoCreateSubnetworks: false,
    deleteDefaultRoutesOnCreate: false,
  });
  expect(named("net-subnet")).toEqual({
    project: "my-project",
    region: "europe-west1",
    network: "net-network-id",
    description: "oneoff/test net",
    ipCidrRange: "10.83.0.0/20",
    privateIpGoogleAccess: true,
  });
  expect(named("net-internal")).toEqual({
    project: "my-project",
    network: "net-network-id",
    description: "oneoff/test net: its machines among themselves",
    direction: "INGRESS",
    sourceRanges: ["10.83.0.0/20"],
    allows: [{ protocol: "tcp" }, { protocol: "udp" }, { protocol: "icmp" }],
  });
  // No router, no NAT gateway, no address, no rule that lets anybody in.
  expect(
    ours()
      .map(({ type }) => type)
      .sort(),
  ).toEqual(["gcp:compute/firewall:Firewall", "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"]);
  expect(await result(network.network)).toBe("net-network-id");
  expect(await result(network.subnetwork)).toBe("net-subnet-id");
  expect(network.region).toBe("europe-west1");
  expect(network.parts).toHaveLength(3);
});

test("addresses, project and region of one's own", async () => {
  await settle(() => new GcpNetwork("net", { cidr: "10.0.0.0/24", project: "other-project", region: "us-central1" }));
  expect(named("net-subnet")).toMatchObject({ ipCidrRange: "10.0.0.0/24", region: "us-central1" });
  expect(named("net-internal")).toMatchObject({ sourceRanges: ["10.0.0.0/24"] });
  expect(ours().map(({ inputs }) => inputs.project)).toEqual(["other-project", "other-project", "other-project"]);
});

describe("what is refused, before anything is made", () => {
  test.each<[string, () => unknown, string]>([
    [
      "an odd block",
      () => new GcpNetwork("no", { cidr: "10.0.0.1/20" }),
      'cidr is "10.0.0.1/20": expected a block of addresses from /16 to /24, such as "10.83.0.0/20"',
    ],
    ["a vast block", () => new GcpNetwork("no", { cidr: "10.0.0.0/8" }), 'cidr is "10.0.0.0/8": expected a block'],
    ["no block", () => new GcpNetwork("no", { cidr: "10.0.300.0/24" }), 'cidr is "10.0.300.0/24": expected a block'],
    [
      "a zone as region",
      () => new GcpNetwork("no", { region: "us-central1-a" }),
      'region is "us-central1-a": expected a region, such as "europe-west1"; "us-central1" is this zone\'s',
    ],
    [
      "a subnetwork without its network",
      () => checkGcpSubnet({ network: "", subnetwork: "s" }),
      "network has a subnetwork and no network: give the VPC network that the subnetwork is in",
    ],
    [
      "a network without a subnetwork",
      () => checkGcpSubnet({ network: "n" } as never),
      "network has a network and no subnetwork: give one of its region, or use new GcpNetwork()",
    ],
  ])("%s", async (_, make, message) => {
    let error: unknown;
    await settle(() => {
      try {
        make();
      } catch (thrown) {
        error = thrown;
      }
    });
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain(message);
    expect(ours()).toEqual([]);
  });

  test("no region", () => {
    delete process.env.GOOGLE_REGION;
    try {
      expect(() => new GcpNetwork("no")).toThrow("there is no region: pulumi config set gcp:region europe-west1");
    } finally {
      process.env.GOOGLE_REGION = "europe-west1";
    }
  });
});
