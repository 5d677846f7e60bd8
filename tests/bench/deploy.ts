/**
 * How much longer bringing up a stack takes than its longest chain of resources that have to wait for each other. The real
 * engine, against a provider that sleeps the seconds below. It shows whether resources wait for what they need not wait for,
 * and says nothing of how fast a cloud is.
 */
import { engine, type StackUnderTest } from "../engine/harness.ts";
import { dataproc } from "../stacks/dataproc-modes.ts";
import { fakeAws } from "../stacks/fake-aws.ts";
import type { Figure } from "./index.ts";

/** Seconds to make and to delete. */
type Seconds = readonly [create: number, destroy: number];
type Phase = "create" | "delete";
type Chain = readonly (readonly [name: string, type: string])[];

interface Deployed {
  readonly under: StackUnderTest;
  /** By name or type, about what such resources take; 1 and 1 for what is not here. */
  readonly seconds: Readonly<Record<string, Seconds>>;
  /** The longest chains that nothing can shorten, by name and type. */
  readonly chains: {
    readonly create: Chain;
    /** @default none is told */
    readonly delete?: Chain;
  };
}

const emr: Deployed = {
  under: { stack: "emr-oneoff", packages: ["aws", "random", "tls"], fake: fakeAws },
  seconds: {
    Bucket: [4, 2],
    Function: [8, 1],
    Instance: [15, 40],
    InternetGateway: [1, 10],
    Key: [8, 1],
    PrivateKey: [0, 0],
    RandomId: [0, 0],
    SelfSignedCert: [0, 0],
    Subnet: [11, 1],
    Vpc: [12, 1],
    VpcEndpoint: [6, 6],
    "cluster-guard": [1, 60], // ends the cluster
    "cluster-run": [30, 1], // stages wheels and asks EMR
  },
  chains: {
    // The machines need a subnet with its way out; they are rented once there is what ends them.
    create: [
      ["network-vpc", "Vpc"],
      ["network-subnet-1", "Subnet"],
      ["network-way-1", "RouteTableAssociation"],
      ["cluster-guard", "Invocation"],
      ["cluster-run", "Invocation"],
    ],
    // First the machines end, then go the ways that they used.
    delete: [
      ["cluster-run", "Invocation"],
      ["cluster-guard", "Invocation"],
      ["network-s3", "VpcEndpoint"],
      ["network-routes", "RouteTable"],
      ["network-gateway", "InternetGateway"],
      ["network-vpc", "Vpc"],
    ],
  },
};

const google: Deployed = {
  under: dataproc("workflow"),
  seconds: {
    Account: [3, 1],
    Bucket: [2, 2],
    DataTransferConfig: [3, 1],
    Firewall: [10, 10],
    IAMMember: [8, 8],
    Instance: [25, 40],
    Job: [12, 5],
    Network: [12, 12],
    RandomId: [0, 0],
    Service: [5, 0],
    ServiceIdentity: [3, 0],
    Subnetwork: [15, 12],
  },
  chains: {
    // A machine needs a subnetwork; what it is to run is told last.
    create: [
      ["network-network", "Network"],
      ["network-subnet", "Subnetwork"],
      ["dashboard-instance", "Instance"],
      ["dashboard-current", "BucketObject"],
    ],
    delete: [
      ["dashboard-current", "BucketObject"],
      ["dashboard-instance", "Instance"],
      ["network-subnet", "Subnetwork"],
      ["network-network", "Network"],
    ],
  },
};

/** The data nodes come beside the head, and the workers, which cost most, once there is a head. The engine deletes in waves, so that its destroy has no such path. */
const ofFleet: Deployed = {
  under: { stack: "gpu-fleet", packages: ["aws", "random"], fake: fakeAws },
  seconds: {
    Bucket: [4, 2],
    Function: [8, 1],
    Group: [2, 60], // its machines end
    Instance: [15, 40],
    InternetGateway: [1, 10],
    RandomId: [0, 0],
    RandomPassword: [0, 0],
    Subnet: [11, 1],
    Volume: [11, 11],
    VolumeAttachment: [12, 0],
    Vpc: [12, 1],
    VpcEndpoint: [40, 40],
    "fleet-network-s3": [6, 6],
    "fleet-staged": [60, 1], // brings jars and wheels into the lake
  },
  chains: {
    create: [
      ["lake", "Bucket"],
      ["fleet-staged", "Invocation"],
      ["fleet-head", "Instance"],
      ["fleet-head-attachment", "VolumeAttachment"],
      ["fleet-workers", "Group"],
    ],
  },
};

/** At a hundredth of the seconds, the engine's own 3 would be most of what is measured. */
const SCALE = 1;

function secondsOf({ seconds }: Deployed, type: string, name: string, what: Phase): number {
  const both = seconds[name] ?? seconds[type.split(":").at(-1) as string] ?? [1, 1];
  return both[what === "create" ? 0 : 1];
}

export const deploy = async (): Promise<readonly Figure[]> => [...(await measured(emr)), ...(await measured(google))];

export const deployFleet = (): Promise<readonly Figure[]> => measured(ofFleet);

async function measured(deployed: Deployed): Promise<readonly Figure[]> {
  const { stack } = deployed.under;
  const bare = await lifecycle(deployed, 0);
  const slow = await lifecycle(deployed, SCALE);
  const ratio = (phase: "up" | "destroy", chain: Chain, what: Phase) => {
    const path = chain.reduce((sum, [name, type]) => sum + secondsOf(deployed, type, name, what), 0) * SCALE;
    return {
      what: `${stack}, ${phase}: wall time / longest necessary path`,
      measured: `${slow[phase].toFixed(1)} s / ${path.toFixed(1)} s = ${(slow[phase] / path).toFixed(2)}`,
      aim: "<= 1.10",
    };
  };
  const { create, delete: ends } = deployed.chains;
  return [
    ratio("up", create, "create"),
    ...(ends ? [ratio("destroy", ends, "delete")] : []),
    {
      what: `${stack}, up, destroy: the engine's own time, with a provider that takes none`,
      measured: `${bare.up.toFixed(1)} s, ${bare.destroy.toFixed(1)} s`,
    },
    { what: `${stack}, preview, nothing made yet`, measured: `${bare.preview.toFixed(1)} s`, aim: "<= 6 s" },
  ];
}

async function lifecycle(deployed: Deployed, scale: number) {
  const { under } = deployed;
  const delay = (type: string, what: Phase, name: string) => secondsOf(deployed, type, name, what) * scale * 1000;
  const project = await engine(under, { delay });
  const timed = async (...args: readonly string[]) => {
    const before = performance.now();
    await project.mustPulumi(...args, "--stack", under.stack);
    return (performance.now() - before) / 1000;
  };
  try {
    const preview = await timed("preview");
    const up = await timed("up", "--yes", "--skip-preview");
    const destroy = await timed("destroy", "--yes", "--skip-preview");
    return { preview, up, destroy };
  } finally {
    project.remove();
  }
}
