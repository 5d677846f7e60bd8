import type { CommandEntry } from "../command.ts";

/** The commands there are, by their names, in the order of the help: a new one is a line here. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  doctor: {
    group: "Start",
    summary: "say what is missing and how to get it",
    load: async () => (await import("./doctor.ts")).doctor,
  },
  check: {
    group: "Start",
    summary: "look at a job or script without starting anything",
    load: async () => (await import("./check.ts")).check,
  },
  up: {
    group: "Start",
    summary: "say the most it costs, ask, `pulumi up`, watch the run",
    passesTo: "pulumi up",
    load: async () => (await import("./up.ts")).up,
  },
  watch: {
    group: "Start",
    summary: "follow a run to its end; exit with its outcome",
    load: async () => (await import("./watch.ts")).watch,
  },
  open: {
    group: "Start",
    summary: "open the dashboard, or another page, in the browser",
    load: async () => (await import("./open.ts")).open,
  },
  get: {
    group: "Start",
    summary: "write a table of a run as CSV or Parquet",
    load: async () => (await import("./get.ts")).get,
  },
  down: {
    group: "Start",
    summary: "`pulumi destroy`, then look for what is left",
    passesTo: "pulumi destroy",
    load: async () => (await import("./down.ts")).down,
  },
  status: {
    group: "Runs",
    summary: "say how a stack does: its run, what it costs so far",
    load: async () => (await import("./status.ts")).status,
  },
  runs: {
    group: "Runs",
    summary: "list runs; `runs show ID`, `runs rm ID`",
    load: async () => (await import("./runs.ts")).runs,
  },
  logs: {
    group: "Runs",
    summary: "print what the steps of a run printed",
    load: async () => (await import("./logs.ts")).logs,
  },
  cancel: {
    group: "Runs",
    summary: "end a run, and keep its results, stack and dashboard",
    load: async () => (await import("./cancel.ts")).cancel,
  },
  run: {
    group: "Runs",
    summary: "compute again, as a new run; earlier runs stay",
    passesTo: "pulumi up",
    load: async () => (await import("./run.ts")).run,
  },
  fleet: {
    group: "Fleet",
    summary: "nodes of a fleet, who enters them, data, what ends when",
    load: async () => (await import("./fleet.ts")).fleet,
  },
  produce: {
    group: "Streams",
    summary: "send records to a stack's stream, to be learnt from",
    load: async () => (await import("./produce.ts")).produce,
  },
  cost: {
    group: "Money and traces",
    summary: "say what it costs at most, without credentials",
    load: async () => (await import("./cost.ts")).cost,
  },
  leftovers: {
    group: "Money and traces",
    summary: "say what is left after the end; fail if anything is",
    load: async () => (await import("./leftovers.ts")).leftovers,
  },
  setup: {
    group: "Set-up",
    summary: "make .oneoff/venv with PySpark, where there is none",
    load: async () => (await import("./setup.ts")).setup,
  },
  env: {
    group: "Set-up",
    summary: "print the environment of stacks that rent nothing",
    load: async () => (await import("./env.ts")).env,
  },
  settings: {
    group: "Set-up",
    summary: "list what can be set, and the defaults",
    load: async () => (await import("./settings.ts")).settings,
  },
  kibana: {
    group: "Set-up",
    summary: "print what a Kibana of one's own imports of a stream",
    load: async () => (await import("./kibana.ts")).kibana,
  },
  completion: {
    group: "Set-up",
    summary: "print what completes commands in bash, zsh or fish",
    load: async () => (await import("./completion.ts")).completion,
  },
  start: {
    summary: "npm start: bring up the stack of this machine and watch its run",
    load: async () => (await import("./start.ts")).start,
  },
  destroy: {
    summary: "npm run destroy: take away a stack, and what an engine that was killed left of it on this machine",
    load: async () => (await import("./destroy.ts")).destroy,
  },
};
