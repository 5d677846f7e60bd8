/**
 * What the commands ask of a platform and of a kind of cluster, apart from them, so that whoever answers need not know the
 * commands. `kinds.ts` lists the kinds there are, and nothing else names one.
 */
import type { z } from "zod";
import type { LakeStore } from "../clients/lake/store.ts";
import type { BillLine } from "../core/bill.ts";
import { quote, UsageError } from "../core/errors.ts";
import type { RunStatus } from "../core/run.ts";
import type { Check } from "./check.ts";
import type { StackFiles } from "./config.ts";
import type { Fleet } from "./fleet.ts";
import type { LogText } from "./step-log.ts";
import type { Stream } from "./stream.ts";

/** Outputs of a stack. */
export type Outputs = Readonly<Record<string, unknown>>;

/** A stack as commands know it: read once and passed on. */
export interface StackContext {
  /** As it was given: what messages tell to type. */
  readonly name: string;
  readonly files: StackFiles;
  /** None where it isn't up, or was not asked. */
  readonly outputs: Outputs;
  /** The outputs with what is secret among them, read when it is asked for. */
  secrets(): Promise<Outputs>;
  /** @throws UsageError when no platform keeps lakes at such addresses. */
  openLake(address: string): Promise<LakeStore>;
}

/** A resource that a program asked for when it was rehearsed. */
export interface RehearsedResource {
  readonly type: string;
  readonly name: string;
  /** As inputs of other resources have it. */
  readonly id: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

/**
 * Where resources of stacks are. It is loaded with every command, so what is large in it is imported when it is asked for.
 *
 * `Part` is what a kind of cluster adds to its checks and its search.
 */
export interface Platform<Part = unknown> {
  /** As messages have it: "Google Cloud". */
  readonly title: string;
  /**
   * How the types of its resources begin: "gcp:". A stack is on a platform if its program asks for any; components, such as
   * "oneoff:index:GcsLake", are none.
   */
  readonly provider: `${string}:`;
  /** Whose list prices bills are made from, and of which day. @default nothing of it is billed */
  prices?(): Promise<{ readonly whose: string; readonly asOf: string }>;
  /** What a program is told where it is rehearsed, without credentials. @default nothing */
  rehearsal?(config: Readonly<Record<string, string>>): Rehearsed;
  /**
   * What set-up (engine/setup/steps.mjs) brings for it alone, by the names of its checks, and whether a program needs that.
   * @default nothing
   */
  readonly setup?: { readonly checks: readonly string[]; needs(resources: readonly RehearsedResource[]): boolean };
  /** What it must have for a stack. @default nothing */
  checks?(
    stack: StackContext,
    resources: readonly RehearsedResource[],
    parts: readonly Part[],
  ): Promise<readonly Check[]>;
  /** Whether this machine is large enough, and what is kept on it for other stacks. @default nothing is told */
  machine?(resources: readonly RehearsedResource[]): readonly Check[];
  /**
   * How things of a stack are looked for; undefined where there is nothing to look at.
   * @param resources that its program asks for: none where that is the user's own.
   * @default all of it ends with its destroy
   */
  search?(
    stack: StackContext,
    parts: readonly Part[],
    resources: readonly RehearsedResource[],
  ): Promise<Search | undefined>;
  /**
   * Whether a stack's settings name it, or else the environment: if its program is the user's own, what is left of it is looked
   * for there. @default it is looked for where nothing names a platform
   */
  isNamed?(stack: StackContext, by: "settings" | "environment"): boolean;
  /** Lakes that it keeps, by how their addresses begin and what messages call such a one. @default none */
  readonly lakes?: {
    readonly scheme: string;
    readonly title: string;
    open(stack: StackContext, address: string): Promise<LakeStore>;
  };
  /**
   * Carries what this process reads and writes to a machine's SSH and back, until either ends: what ssh takes as its ProxyCommand.
   * @param machine as a fleet's {@link Entrance} names it behind `carrier`.
   * @default its machines are reached otherwise
   */
  carry?(machine: string): Promise<void>;
  /** What it refused for a reason that has no words of ours; undefined for any other error. @default it has no errors of its own */
  explain?(error: Error): string | undefined;
}

/** What a platform answers a program that is rehearsed. */
export interface Rehearsed {
  /** Settings that its provider must have and that change nothing. */
  readonly config?: Readonly<Record<string, string>>;
  /** What its functions answer, by their tokens. */
  readonly answers?: Readonly<Record<string, object>>;
  /** What each of its resources has once it is made, beside what it was asked for with. */
  state?(name: string): Readonly<Record<string, unknown>>;
}

/** Something of a stack that is still there. */
export interface Leftover {
  /** Such as "EC2 instance". */
  readonly kind: string;
  readonly id: string;
  readonly since?: Date;
  /** Bucket of the lake that it names. @default it names none */
  readonly lake?: string;
  /** It stays on purpose, and is no leftover. @default false */
  readonly kept?: boolean;
  /**
   * Why it may be another stack's, or how it is removed by hand if it isn't. It is told of, and never removed.
   * @default it is surely the stack's: it says project and stack exactly, or belongs to something that does
   */
  readonly unsure?: string;
  /** What is removed first has the lowest. */
  readonly order: number;
  /** What must be done to all of one order before the first of them can be removed. */
  readonly prepare?: () => Promise<void>;
  /** Removes it and waits until it is gone where others need that. */
  readonly remove: () => Promise<void>;
}

/** How the things of a stack are looked for. */
export interface Search {
  find(): Promise<readonly Leftover[]>;
  /** Where that is, such as " in region x": follows the stack's name. @default "": as its settings say */
  readonly where?: string;
  /** Whether another person's stack of the same name may be there, whose things can't be told from this one's. @default false */
  readonly shared?: boolean;
}

/** A kind of cluster: how a run there is followed, and where it is looked at. */
export interface ClusterKind {
  /** What stacks say in their output `cluster`. */
  readonly name: string;
  readonly platform: Platform;
  /** Pages that it may have beside the dashboard, by the names that `--ui` takes. */
  readonly pages: readonly string[];
  /** Whether it may be gone by itself: Pulumi can't delete what is gone, unless it looks first. @default false */
  mayBeGone?(outputs: Outputs): boolean;
  /** What it adds to the checks and the search of its platform. @default nothing */
  part?(): Promise<unknown>;
  /** @throws UsageError when the stack lacks an output that this needs. */
  attach(stack: StackContext): Promise<Attached>;
  /** What `oneoff fleet` works on. @default it is no fleet */
  fleet?(stack: StackContext): Promise<Fleet>;
}

/** Gives a kind of cluster the types of its outputs and of its platform's part. */
export const clusterKind = <Part, Schema extends z.ZodType>(kind: {
  readonly name: string;
  readonly platform: Platform<Part>;
  readonly outputs: Schema;
  readonly pages: readonly string[];
  mayBeGone?(outputs: Outputs): boolean;
  part?(): Promise<Part>;
  attach(stack: StackContext, outputs: z.output<Schema>): Promise<Attached>;
  fleet?(stack: StackContext, outputs: z.output<Schema>): Promise<Fleet>;
}): ClusterKind => {
  const { attach, fleet, ...rest } = kind;
  return {
    ...rest,
    attach: async (stack) => attach(stack, parseOutputs(kind, stack)),
    ...(fleet && { fleet: async (stack) => fleet(stack, parseOutputs(kind, stack)) }),
  };
};

/** What Pulumi shows in place of a secret. */
const SECRET = "[secret]";

function parseOutputs<Schema extends z.ZodType>(
  { name: kind, outputs }: { readonly name: string; readonly outputs: Schema },
  stack: StackContext,
): z.output<Schema> {
  // Pulumi keeps what a program says is null.
  const given = Object.entries(stack.outputs).filter(([, value]) => value !== null);
  const result = outputs.safeParse(Object.fromEntries(given));
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0] as z.core.$ZodIssue;
  const output = String(path[0]);
  const value = stack.outputs[output] ?? undefined;
  const needs = `commands for cluster "${kind}" need it`;
  if (value === undefined) {
    throw new UsageError(
      `stack ${stack.name} has no output "${output}", and ${needs}: have its program return it, then "npx pulumi up --stack ${stack.name}"`,
    );
  }
  if (value === SECRET)
    throw new UsageError(`output "${output}" of stack ${stack.name} is a secret, and ${needs}: return it as it is`);
  throw new UsageError(
    `output "${output}" of stack ${stack.name} is ${quote(value)}: ${message}, because ${needs}: have its program return that`,
  );
}

/** A stack's cluster and lake as they are. */
export interface Attached {
  /** The run that the stack is for. */
  readonly run: string;
  readonly lake: LakeStore;
  /** How often to ask for the status while it is watched, in milliseconds. */
  readonly pollMs: number;
  /** What the stack costs. @default not known, or nothing */
  readonly bill?: readonly BillLine[] | undefined;
  /**
   * What the machines of a run say; undefined when nothing is known of any for it.
   *
   * @param recorded what the lake says. One that has ended is the last word, so that machines need not be asked about it.
   * @throws TransientError when it can't be told now and may be later.
   */
  machines(run: string, recorded: RunStatus | undefined): Promise<Machines | undefined>;
  /**
   * Ends what works for a run, and resolves once that has ended and writes no more: machines of ours have by then said in
   * the record what became of it. The run was asked to be cancelled before (`_cancels`), and whoever calls looks after its
   * record then. Called again it goes on from where it was; what is gone already is no error.
   *
   * @param say tells what is waited for, in a sentence.
   * @throws UsageError when it can't be ended; TransientError when that can't be told now and may be later.
   * @default its runs can't be cancelled
   */
  cancel?(run: string, say: (line: string) => void): Promise<void>;
  /** Whether its status outlasts its record, since there is something to do after the last step. @default false */
  readonly statusIsLast?: boolean;
  /** How long what is written takes to be seen once the machines have ended, in milliseconds. @default 0 */
  readonly lagMs?: number;
  /** Whether progress is read from the logs of steps. @default false: the status has it */
  readonly progressInLogs?: boolean;
  /** What a step has printed, from a position on. @default what is in the lake */
  log?(run: string, step: string, from: number): Promise<LogText>;
  /** What was printed where no step ran, once a run has failed. @default nothing */
  evidence?(run: string): Promise<Evidence | undefined>;
  /** Whether the machines of a run that is over are kept for whoever wants to go on working there. @default no */
  isKept?(status: RunStatus): boolean;
  /** Beside its lake: what stays where it is when a run is removed, such as "rows in BigQuery". @default nothing */
  readonly stays?: string | undefined;
  /** The stream that its job reads. @default it reads none */
  readonly stream?: Stream;
  /** Where to look at it, the dashboard first where there is one. */
  pages(): Promise<readonly Page[]>;
  /**
   * What leads to a page.
   * @param name "dashboard", or one of the kind's pages.
   * @throws UsageError when the stack has none, or it is no more.
   */
  route(name: string): Promise<Route>;
}

/** What was printed where no step ran. */
export interface Evidence {
  /** Such as "the set-up of node i-0123". */
  readonly what: string;
  readonly text: string;
}

/** What the machines of a run say of it. */
export interface Machines {
  /** When they were asked for. */
  readonly started: string;
  /** @default the lake's */
  readonly job?: string | undefined;
  /** @default the lake's */
  readonly deadline?: string | undefined;
  /** The steps as the service that runs them knows them. @default the lake's */
  readonly steps?: RunStatus["steps"];
  /** How the steps ended, where the service that runs them says so. @default the lake says it */
  readonly outcome?:
    | { readonly state: "succeeded"; readonly at?: string | undefined }
    | { readonly state: "failed" | "cancelled"; readonly error: string; readonly at?: string | undefined }
    | undefined;
  /** Why they can do no more for the run, in one line with what to do about it. @default they can */
  readonly over?: { readonly error: string; readonly at?: string | undefined } | undefined;
  /** What they are at. @default what the lake says while the run goes on */
  cluster?(status: RunStatus): RunStatus["cluster"];
  /** Whether they are there, and so cost, whatever the run is at. @default only while it goes on */
  readonly areThere?: boolean;
  /** When they ended. @default when the run did */
  readonly ended?: string | undefined;
}

/** A page, as it is listed. */
export interface Page {
  /** "dashboard", or as `--ui` takes it. @default it is another service's */
  readonly name?: string;
  /** Such as "JupyterLab". */
  readonly title: string;
  /** Where it is, or the command that leads there. */
  readonly address: string;
}

/** What leads to a page. */
export interface Route {
  readonly title: string;
  /** Where it is: as this machine reaches it, else as the machine does that serves it. */
  readonly url: string;
  /** What is printed below its address. */
  readonly notes?: readonly string[];
  /** What the browser is given in the place of the address: with a token, which is not printed. @default the address */
  browse?(url: string): string;
  /** What to look at while it doesn't answer. @default nothing */
  readonly hint?: string;
  /** How it is reached through a connection of this command. @default this machine reaches it */
  readonly tunnel?: Tunnel;
}

/** How a page is reached that no port is open to. */
export interface Tunnel {
  /** Where it may be, to be tried in this order. */
  readonly places: readonly [Place, ...Place[]];
  /** What is waited for, such as the id of an instance. */
  readonly host: string;
  /** How long the page may take to answer at first, in milliseconds. */
  readonly patienceMs: number;
  /** Path that answers when the page is there. */
  readonly probe: string;
  /**
   * What the host is at, in words, asked before each connection. @default not asked
   * @throws UsageError when it will never answer.
   */
  state?(): Promise<string>;
  /** Why a connection that failed would fail again, with the cure; undefined when it may be had later. @default it may */
  whyNever?(problem: string, isFirst: boolean): UsageError | undefined;
  /** What to look at when it never answered. */
  readonly advice: string;
}

export interface Place {
  readonly scheme: "http" | "https";
  /** Port there, and here where it is free. */
  readonly port: number;
  /**
   * Leads a port of this machine there.
   * @throws TransientError when that can't be done yet.
   */
  connect(localPort: number): Promise<Connection>;
}

export interface Connection {
  /** What was printed last, once it has ended by itself or was ended. */
  readonly ended: Promise<string>;
  end(): Promise<void>;
}
