/** What the machines of a fleet, its owner's command line and the reaper tell each other by objects of the lake (ADR 19). */
import { z } from "zod";
import type { End } from "./ends.ts";
import { checkName, Prefix } from "./lake-layout.ts";
import { NodeRole } from "./node-role.ts";
import type { FleetPower as PlainFleetPower } from "./schedule.ts";

/** Keys in the lake. @throws UsageError for a name that would lead elsewhere. */
export const fleetKeys = (fleet: string) => {
  const at = `${Prefix.fleets}/${checkName(fleet, "fleet")}`;
  return {
    /** Everything below. */
    at,
    /** Who may enter: `{"fleet": "name", "users": [{"name": "ada", "keys": ["ssh-ed25519 AAAA..."]}]}`. */
    users: `${at}/users.json`,
    /** Which data nodes HDFS consists of, and with how many copies; what became of it is the answer "members". */
    members: `${at}/members.json`,
    /** What applications of users ask Spark for: lines of spark-defaults.conf. */
    conf: `${at}/spark.conf`,
    /** What the head runs, once: the driver's archive. */
    run: (run: string) => `${at}/runs/${checkName(run, "run")}.zip`,
    /** What machines are told of themselves, by the digest of that. */
    configs: `${at}/config`,
    config: (digest: string) => `${at}/config/${digest}.json`,
    /** What is said where a machine doesn't come up. */
    boot: `${at}/boot`,
    requests: `${at}/requests/`,
    request: (id: string) => `${at}/requests/${checkName(id, "request")}.json`,
    /** What a request is about, where that is a file. It goes with the request. */
    upload: (id: string) => `${at}/uploads/${checkName(id, "request")}`,
    answer: (id: string) => `${at}/answers/${checkName(id, "request")}.json`,
    nodes: `${at}/nodes/`,
    node: (node: string) => `${at}/nodes/${checkName(node, "node")}.json`,
    reaper: `${at}/reaper.json`,
    /** Whether its machines are to run; what became of it the reaper says. */
    power: `${at}/power.json`,
  } as const;
};

const moment = () => z.iso.datetime({ offset: true });

/** Whether a fleet's machines are to run: what its owner set. */
export const FleetPower: z.ZodType<PlainFleetPower> = z.discriminatedUnion("power", [
  z.object({ power: z.enum(["on", "off"]) }),
  z.object({ power: z.literal("schedule"), on: z.string(), off: z.string(), timeZone: z.string() }),
]);
export type FleetPower = PlainFleetPower;

/** What is asked of a fleet's head. */
export const FleetRequest = z.discriminatedUnion("command", [
  /** Unpacks what was uploaded into a folder of HDFS. */
  z.object({
    command: z.literal("push"),
    asked: moment(),
    /** Name of the archive, for messages. */
    archive: z.string(),
    folder: z.string(),
    overwrite: z.boolean(),
  }),
  /** Takes away what users have in HDFS, and their kernels. */
  z.object({ command: z.literal("reset"), asked: moment() }),
  /** Ends what works for a run, where its driver doesn't by itself. */
  z.object({ command: z.literal("cancel"), asked: moment(), run: z.string() }),
]);
export type FleetRequest = z.infer<typeof FleetRequest>;

/** What the head says of a request, anew while it works on it. */
export const FleetAnswer = z.object({
  state: z.enum(["running", "done", "failed"]),
  updated: moment(),
  /** The last lines of progress. */
  said: z.array(z.string()),
  /** What the script printed, once it is done: that of push.py or reset.py. */
  result: z.unknown().optional(),
  /** Why it failed, in a sentence. */
  problem: z.string().optional(),
  /** Whether the same would fail again. */
  refused: z.boolean().optional(),
});
export type FleetAnswer = z.infer<typeof FleetAnswer>;

/** What a machine tells each minute. */
export const NodeReport = z.object({
  /** "head", "data-1", "worker-i-0123456789abcdef0". */
  node: z.string(),
  role: z.enum(NodeRole),
  instance: z.string(),
  /** Instance type. */
  type: z.string(),
  zone: z.string(),
  reported: moment(),
  state: z.enum(["installing", "ready", "failed"]),
  /** What it is at, or why it failed. */
  problem: z.string().nullable(),
  services: z.array(z.object({ name: z.string(), state: z.enum(["ready", "starting", "down"]) })),
  /** What idle.py prints. Null: it can't be told, which counts as busy. */
  idle: z
    .object({
      busy: z.boolean(),
      reasons: z.array(z.string()),
      idleSince: moment().nullable(),
      looked: moment(),
    })
    .nullable(),
  gpus: z.array(z.object({ index: z.string(), percent: z.number(), usedMebibytes: z.number(), mebibytes: z.number() })),
  /** Who has an SSH session. */
  sessions: z.array(z.string()),
  /** Its SSH host keys, "ssh-ed25519 AAAA...". */
  hostKeys: z.array(z.string()),
  /** Of the head: where each user's JupyterLab listens on its 127.0.0.1. The token is in the user's ~/.oneoff/notebook-token. */
  notebooks: z.array(z.object({ user: z.string(), port: z.int() })),
  /** Of the head: where pages are as SSH forwards to them, "10.84.0.10:9870", by name: spark or yarn, history, hdfs, app. */
  pages: z.record(z.string(), z.string()),
  /** When its copy of the users was last known to be so. */
  usersConfirmed: moment().nullable(),
  /** When EC2 takes a spot instance away, once it has said so. */
  taken: moment().nullable(),
  /** Of the head: whether HDFS is ready for all machines to be stopped, once the reaper is about to. @default it isn't */
  rests: z.boolean().optional(),
  /** What fleet_status.py prints, of the head; see cli/local/local-fleet/status.ts. */
  fleet: z.unknown().optional(),
});
export type NodeReport = z.infer<typeof NodeReport>;

/** How old a report may be: later a machine counts as busy, whatever it said last. */
export const REPORT_SECONDS = 300;

/** How long machines that are to be stopped wait at most for HDFS to rest. */
export const REST_SECONDS = 600;

/** What the reaper saw and did when it looked last. */
export const ReaperReport = z.object({
  looked: moment(),
  /** When the fleet ends whatever happens. */
  ends: moment(),
  /** Since when nobody works there; null: somebody does, or it can't be told. */
  idleSince: moment().nullable(),
  /** Why it isn't idle, a sentence each that begins with the node's name. */
  why: z.array(z.string()),
  /** When the workers go if it stays idle; null: it isn't, or they are gone. */
  workersGo: moment().nullable(),
  /** When the other nodes are stopped, at the earliest; null: they aren't going to be. */
  nodesStop: moment().nullable(),
  /** Since when there are fewer workers than are wanted; null: there are enough. */
  shortSince: moment().nullable().default(null),
  /** A gang that was given back since it wasn't whole: when, and what there was of it. Null once it is asked for again. */
  gaveBack: z.object({ at: moment(), there: z.int(), wanted: z.int() }).nullable().default(null),
  /** Since when they are about to be, or were just now: the head brings HDFS to rest first. @default they aren't */
  stopping: moment().optional(),
  /** What the owner set, or a clock said at a moment, and whether that is done. @default on, by the setting */
  power: z.object({ state: z.enum(["on", "off"]), at: moment().optional(), done: z.boolean() }).optional(),
  /** When the clock has its machines stop, and come, next. @default it goes by no clock */
  clock: z.object({ off: moment(), on: moment() }).optional(),
});
export type ReaperReport = z.infer<typeof ReaperReport>;

/** What the reaper will do to a fleet whoever is on. Its machines tell users the same (assets/fleet/agent.py). */
export function endsOf({ ends, clock, power, nodesStop }: ReaperReport): readonly End[] {
  const off = power?.state === "off" ? nodesStop : null;
  return [
    { at: ends, what: "this fleet ends, with all that is in HDFS and on its disks" },
    ...[clock?.off ?? null, off]
      .filter((at) => at !== null)
      .map((at) => ({ at, what: "all machines of this fleet are stopped, with whoever is on; disks and HDFS stay" })),
  ];
}
