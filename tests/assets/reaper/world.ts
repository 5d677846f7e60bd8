/** A fleet's part of AWS in memory: EC2, Auto Scaling and one bucket per lake, as far as the reaper asks. */
import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { EC2Client } from "@aws-sdk/client-ec2";
import { EMRClient } from "@aws-sdk/client-emr";
import { S3Client } from "@aws-sdk/client-s3";
import type { Clients } from "../../../assets/reaper/clients.ts";
import { reap } from "../../../assets/reaper/reap.ts";
import type { FleetPower, NodeReport, ReaperReport } from "../../../core/fleet-lake.ts";

export const STACK = "oneoff/gpu-fleet";
export const START = Date.parse("2026-01-01T08:00:00Z");
export const MINUTE = 60_000;
/** Minutes after the fleet was made. */
export const at = (minutes: number) => new Date(START + minutes * MINUTE);

export type Tags = Readonly<Record<string, string>>;
type State = "pending" | "running" | "stopping" | "stopped" | "shutting-down";

export interface Machine {
  readonly id: string;
  readonly tags: Tags;
  readonly created: Date;
  started: Date;
  state: State;
}

export interface Disk {
  readonly id: string;
  readonly tags: Tags;
  readonly created: Date;
  /** The machine that has it. */
  machine: string | undefined;
}

export interface Group {
  readonly name: string;
  readonly tags: Tags;
  readonly created: Date;
  min: number;
  desired: number;
  most: number;
  /** States of its instances. @default as many as it wants, in service */
  there?: readonly string[];
}

type Input = Readonly<Record<string, never>> & {
  readonly [name: string]: unknown;
  readonly InstanceIds: string[];
  readonly VpcEndpointIds: string[];
  readonly AutoScalingGroupName: string;
  readonly VolumeId: string;
  readonly Bucket: string;
  readonly Key: string;
  readonly Prefix: string;
  readonly Body: string;
  readonly Range: string;
  readonly MinSize: number;
  readonly DesiredCapacity: number;
  readonly Delete: { readonly Objects: readonly { readonly Key: string }[] };
  readonly Filters: readonly { readonly Name: string; readonly Values: readonly string[] }[];
};

export class World {
  machines: Machine[] = [];
  disks: Disk[] = [];
  groups: Group[] = [];
  /** Interface endpoints, by their ids. */
  endpoints: { readonly id: string; readonly tags: Tags; readonly created: Date; state: string }[] = [];
  /** "bucket/key" */
  readonly objects = new Map<string, { body: string; modified: Date }>();
  readonly lakes = new Set(["the-lake"]);
  /** What changed something: "StopInstances i-head i-data-1". */
  calls: string[] = [];
  /** Keys that were read. */
  read: string[] = [];
  /** Says with which error a call fails. */
  broken: (command: string, input: string) => Error | undefined = () => undefined;
  /** When objects are written. */
  now = at(0);

  readonly clients: Clients = {
    emr: this.#client(EMRClient),
    autoScaling: this.#client(AutoScalingClient),
    ec2: this.#client(EC2Client),
    s3: this.#client(S3Client),
  };

  #client<T>(Client: new (config: object) => T): T {
    const client = new Client({ region: "us-west-2", credentials: { accessKeyId: "a", secretAccessKey: "b" } });
    // The clients' stacks differ in their types alone.
    (client as EC2Client).middlewareStack.add(
      (_next, context) => async (args) => {
        const command = (context.commandName as string).replace(/Command$/, "");
        const error = this.broken(command, JSON.stringify(args.input));
        if (error) throw error;
        const answer = (this.#answers as Record<string, (input: Input) => object>)[command];
        if (!answer) throw new Error(`${command} is not known here`);
        return { response: {}, output: { $metadata: {}, ...answer(args.input as Input) } as never };
      },
      { step: "initialize" },
    );
    return client;
  }

  readonly #answers = {
    ListClusters: () => ({ Clusters: [] }),
    DescribeAutoScalingGroups: ({ Filters }: Input) => ({
      AutoScalingGroups: this.groups
        .filter(({ tags }) => matches(Filters, tags))
        .map(({ name, tags, created, min, desired, most, there = Array<string>(desired).fill("InService") }) => ({
          ...{
            AutoScalingGroupName: name,
            CreatedTime: created,
            MinSize: min,
            DesiredCapacity: desired,
            MaxSize: most,
          },
          Instances: there.map((LifecycleState) => ({ LifecycleState })),
          Tags: listed(tags),
        })),
    }),
    DescribeInstances: ({ Filters }: Input) => ({
      Reservations: this.machines
        .filter(({ tags, state }) => matches(Filters, { ...tags, "instance-state-name": state }))
        .map(({ id, tags, created, started, state }) => ({
          Instances: [
            {
              ...{ InstanceId: id, LaunchTime: started, State: { Name: state }, Tags: listed(tags) },
              NetworkInterfaces: [{ Attachment: { AttachTime: created } }],
            },
          ],
        })),
    }),
    DescribeVolumes: ({ Filters }: Input) => ({
      Volumes: this.disks
        .filter(({ tags }) => matches(Filters, tags))
        .map(({ id, tags, created, machine }) => ({
          ...{ VolumeId: id, CreateTime: created, State: machine ? "in-use" : "available", Tags: listed(tags) },
        })),
    }),
    DeleteAutoScalingGroup: ({ AutoScalingGroupName: name }: Input) => {
      this.calls.push(`DeleteAutoScalingGroup ${name}`);
      this.groups = this.groups.filter((group) => group.name !== name);
      return {};
    },
    UpdateAutoScalingGroup: ({ AutoScalingGroupName: name, MinSize: min, DesiredCapacity: desired }: Input) => {
      const given = Object.fromEntries(Object.entries({ min, desired }).filter(([, value]) => value !== undefined));
      this.calls.push(`UpdateAutoScalingGroup ${name} ${Object.values(given).join(" ")}`);
      Object.assign(this.groups.find((group) => group.name === name) as Group, given);
      return {};
    },
    StartInstances: ({ InstanceIds }: Input) => {
      const other = this.machines.find(({ id, state }) => InstanceIds.includes(id) && state !== "stopped");
      if (other) throw new Error(`IncorrectInstanceState: ${other.id} is ${other.state}`);
      for (const machine of this.machines) if (InstanceIds.includes(machine.id)) machine.started = this.now;
      return this.#put("StartInstances", InstanceIds, "running");
    },
    TerminateInstances: ({ InstanceIds }: Input) => this.#put("TerminateInstances", InstanceIds, "shutting-down"),
    StopInstances: ({ InstanceIds }: Input) => this.#put("StopInstances", InstanceIds, "stopped"),
    DescribeVpcEndpoints: ({ Filters }: Input) => ({
      VpcEndpoints: this.endpoints
        .filter(({ tags }) => matches(Filters, tags))
        .map(({ id, tags, created, state }) => ({
          ...{ VpcEndpointId: id, CreationTimestamp: created, State: state, Tags: listed(tags) },
        })),
    }),
    DeleteVpcEndpoints: ({ VpcEndpointIds: ids }: Input) => {
      this.calls.push(`DeleteVpcEndpoints ${ids.join(" ")}`);
      const held = this.endpoints.filter(({ id, state }) => ids.includes(id) && state === "held");
      for (const endpoint of this.endpoints) if (ids.includes(endpoint.id)) endpoint.state = "deleting";
      return { Unsuccessful: held.map(({ id }) => ({ ResourceId: id, Error: { Message: "it is in use" } })) };
    },
    DeleteVolume: ({ VolumeId }: Input) => {
      this.calls.push(`DeleteVolume ${VolumeId}`);
      if (this.disks.find(({ id }) => id === VolumeId)?.machine) throw new Error("VolumeInUse");
      this.disks = this.disks.filter(({ id }) => id !== VolumeId);
      return {};
    },
    ListObjectsV2: ({ Bucket, Prefix }: Input) => ({
      Contents: [...this.objects]
        .filter(([path]) => path.startsWith(`${this.#bucket(Bucket)}/${Prefix}`))
        .map(([path, { body, modified }]) => ({
          ...{ Key: path.slice(Bucket.length + 1), Size: Buffer.byteLength(body), LastModified: modified },
        })),
    }),
    GetObject: ({ Bucket, Key, Range }: Input) => {
      this.read.push(Key);
      const found = this.objects.get(`${this.#bucket(Bucket)}/${Key}`);
      if (!found) throw Object.assign(new Error("no such key"), { name: "NoSuchKey" });
      if (found.body === "") throw Object.assign(new Error("no such range"), { name: "InvalidRange" });
      const bytes = Buffer.from(found.body).subarray(0, Number(/^bytes=0-(\d+)$/.exec(Range)?.[1]) + 1);
      return { Body: { transformToByteArray: async () => new Uint8Array(bytes) } };
    },
    PutObject: ({ Bucket, Key, Body }: Input) => {
      this.objects.set(`${this.#bucket(Bucket)}/${Key}`, { body: Body, modified: this.now });
      return {};
    },
    DeleteObjects: ({ Bucket, Delete }: Input) => {
      for (const { Key } of Delete.Objects) {
        this.calls.push(`DeleteObject ${Key}`);
        this.objects.delete(`${this.#bucket(Bucket)}/${Key}`);
      }
      return {};
    },
  };

  #bucket(name: string): string {
    if (!this.lakes.has(name)) throw Object.assign(new Error("no such bucket"), { name: "NoSuchBucket" });
    return name;
  }

  #put(command: string, ids: readonly string[], state: State): object {
    this.calls.push(`${command} ${ids.join(" ")}`);
    for (const machine of this.machines) if (ids.includes(machine.id)) machine.state = state;
    return {};
  }

  /** Takes away the machines that are shutting down; their disks are there for anybody. */
  settle(): void {
    const gone = this.machines.filter(({ state }) => state === "shutting-down").map(({ id }) => id);
    this.machines = this.machines.filter(({ id }) => !gone.includes(id));
    for (const disk of this.disks) if (disk.machine && gone.includes(disk.machine)) disk.machine = undefined;
  }

  machine(id: string, role: string, more: Partial<Machine> = {}): Machine {
    const machine: Machine = { id, tags: tagsOf(role), created: at(0), started: at(0), state: "running", ...more };
    this.machines.push(machine);
    return machine;
  }

  disk(id: string, machine: string | undefined, more: Partial<Disk> = {}): Disk {
    const disk: Disk = { id, tags: tagsOf("data"), created: at(0), machine, ...more };
    this.disks.push(disk);
    return disk;
  }

  endpoint(id: string, more: { readonly tags?: Tags; readonly created?: Date; readonly state?: string } = {}): void {
    this.endpoints.push({ id, tags: tagsOf("network"), created: at(0), state: "available", ...more });
  }

  group(name: string, more: Partial<Group> = {}): Group {
    const desired = more.desired ?? 1;
    const group: Group = { name, tags: tagsOf("worker"), created: at(0), min: 0, desired, most: desired, ...more };
    this.groups.push(group);
    return group;
  }

  /** As a machine writes its own. */
  report(
    node: string,
    role: string,
    instance: string,
    more: Partial<NodeReport> = {},
    fleet = "the-lake/_fleets/f",
  ): void {
    const now = pythonic(this.now);
    const report: NodeReport = {
      ...{ node, instance, role: role as NodeReport["role"], type: "m6i.large", zone: "us-west-2a", reported: now },
      ...{
        state: "ready",
        problem: null,
        services: [],
        gpus: [],
        sessions: [],
        hostKeys: [],
        notebooks: [],
        pages: {},
      },
      idle: { busy: false, reasons: [], idleSince: pythonic(at(0)), looked: now },
      ...{ usersConfirmed: null, taken: null, ...more },
    };
    this.write(`${fleet}/nodes/${node}.json`, JSON.stringify(report));
  }

  write(path: string, body: string, modified = this.now): void {
    this.objects.set(path, { body, modified });
  }

  /** Whoever runs reports, idle since minute `since` unless `more` says otherwise; then the reaper looks. */
  async look(minutes: number, since = 10, more: Readonly<Record<string, Partial<NodeReport> | undefined>> = {}) {
    this.now = at(minutes);
    this.calls = [];
    for (const { id, tags, state } of this.machines) {
      const role = tags["oneoff:role"] as string;
      const node = role === "worker" ? `worker-${id}` : id.slice(2);
      const isOfF = tags["oneoff:cluster"] === "f" && tags["oneoff:lake"] === "the-lake";
      const own = { ...idleFrom(since, this.now), ...(role === "head" && { rests: this.#isToStop() }), ...more[node] };
      if (isOfF && state === "running") this.report(node, role, id, own);
    }
    return reap(this.clients, STACK, this.now);
  }

  /** As the head reads it. */
  #isToStop(): boolean {
    const nodesStop = this.said()?.nodesStop;
    return !!nodesStop && Date.parse(nodesStop) <= this.now.getTime();
  }

  /** What the owner sets. */
  power(power: FleetPower): void {
    this.write("the-lake/_fleets/f/power.json", JSON.stringify(power));
  }

  /** What `report` has of a machine that somebody uses. */
  busy(...reasons: string[]): Pick<NodeReport, "idle"> {
    return { idle: { busy: true, reasons, idleSince: null, looked: pythonic(this.now) } };
  }

  said(fleet = "the-lake/_fleets/f"): ReaperReport {
    return JSON.parse(this.objects.get(`${fleet}/reaper.json`)?.body ?? "null");
  }
}

/** What a report has of a machine that nobody uses. */
export const idleFrom = (minutes: number, looked: Date): Pick<NodeReport, "idle"> => ({
  idle: { busy: false, reasons: [], idleSince: pythonic(at(minutes)), looked: pythonic(looked) },
});

/** A moment as scripts write it. */
const pythonic = (moment: Date): string => moment.toISOString().replace(/\.\d+Z$/, "+00:00");

export const tagsOf = (role: string, more: Tags = {}): Tags => ({
  "oneoff:stack": STACK,
  "oneoff:lake": "the-lake",
  "oneoff:cluster": "f",
  "oneoff:deadline": "10 hours",
  "oneoff:idle": "1 hour",
  "oneoff:idle-off": "30 minutes",
  "oneoff:role": role,
  ...more,
});

/** As EC2 and Auto Scaling filter. */
function matches(filters: Input["Filters"], tags: Tags): boolean {
  return filters.every(({ Name, Values }) =>
    Name === "tag-key" ? Values.some((key) => key in tags) : Values.includes(tags[Name.replace(/^tag:/, "")] ?? ""),
  );
}

const listed = (tags: Tags) => Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
