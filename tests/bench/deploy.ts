/**
 * How much longer bringing up stack emr-oneoff takes than its longest chain of resources that have to wait for each other.
 * The real engine, against a provider that sleeps the seconds below. It
 * shows whether resources wait for what they need not wait for, and says nothing of how fast AWS is.
 */
import { engine, type StackUnderTest } from "../engine/harness.ts";
import { fakeAws } from "../stacks/fake-aws.ts";
import type { Figure } from "./index.ts";

/** Seconds to make and to delete, about what such resources take; 1 and 1 for what is not here. */
const SECONDS: Readonly<Record<string, readonly [create: number, destroy: number]>> = {
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
};
/** At a hundredth of the seconds, the engine's own 3 would be most of what is measured. */
const SCALE = 1;

const secondsOf = (type: string, name: string, what: "create" | "delete") =>
  (SECONDS[name] ?? SECONDS[type.split(":").at(-1) as string] ?? [1, 1])[what === "create" ? 0 : 1];

/**
 * The longest chains that nothing can shorten, by name and type. Up: the machines need a subnet with its way out; they are
 * rented once there is what ends them. Destroy: first the machines end, then go the ways that they used.
 */
const CHAINS = {
  create: [
    ["network-vpc", "Vpc"],
    ["network-subnet-1", "Subnet"],
    ["network-way-1", "RouteTableAssociation"],
    ["cluster-guard", "Invocation"],
    ["cluster-run", "Invocation"],
  ],
  delete: [
    ["cluster-run", "Invocation"],
    ["cluster-guard", "Invocation"],
    ["network-s3", "VpcEndpoint"],
    ["network-routes", "RouteTable"],
    ["network-gateway", "InternetGateway"],
    ["network-vpc", "Vpc"],
  ],
} as const;

const longest = (what: "create" | "delete") =>
  CHAINS[what].reduce((sum, [name, type]) => sum + secondsOf(type, name, what), 0);

const under: StackUnderTest = { stack: "emr-oneoff", packages: ["aws", "random", "tls"], fake: fakeAws };

export async function deploy(): Promise<readonly Figure[]> {
  const bare = await lifecycle(0);
  const slow = await lifecycle(SCALE);
  const ratio = (phase: "up" | "destroy", what: "create" | "delete") => {
    const path = longest(what) * SCALE;
    return {
      what: `${phase}: wall time / longest necessary path`,
      measured: `${slow[phase].toFixed(1)} s / ${path.toFixed(1)} s = ${(slow[phase] / path).toFixed(2)}`,
      aim: "<= 1.10",
    };
  };
  return [
    ratio("up", "create"),
    ratio("destroy", "delete"),
    {
      what: "up, destroy: the engine's own time, with a provider that takes none",
      measured: `${bare.up.toFixed(1)} s, ${bare.destroy.toFixed(1)} s`,
    },
    { what: "preview of emr-oneoff, nothing made yet", measured: `${bare.preview.toFixed(1)} s`, aim: "<= 6 s" },
  ];
}

async function lifecycle(scale: number) {
  const delay = (type: string, what: "create" | "delete", name: string) => secondsOf(type, name, what) * scale * 1000;
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
