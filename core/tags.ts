/** Tags that say whose a resource is and when it ends. Read by the reaper and the command line, so nothing of Pulumi is here. */
export const Tag = {
  /** Project and stack, "oneoff/emr-oneoff". On everything that takes tags. */
  stack: "oneoff:stack",
  /**
   * Name of the lake's bucket. On clusters and on the dashboard's instance: a bucket's name is unique in the world, so it
   * tells two stacks of one name in one account apart.
   */
  lake: "oneoff:lake",
  /** A {@link Duration} from its creation, "90 minutes". On everything that must end by itself. */
  deadline: "oneoff:deadline",
  /** A {@link Duration}. On a fleet's machines: after how long without work its workers go. */
  idle: "oneoff:idle",
  /** A {@link Duration} after the workers went. On a fleet's machines: when the others are stopped. */
  idleOff: "oneoff:idle-off",
  /** A {@link Duration}. On the group of a fleet's on-demand workers: so long spot ones are waited for before these come in their place. */
  fallback: "oneoff:fallback",
  /** A {@link Duration}. On the group of a gang: so long it may take until all workers are there, else none stay. */
  gang: "oneoff:gang",
  /** What of a fleet something is: a NodeRole, or "network" on its endpoints. */
  role: "oneoff:role",
  /** Name of the component that a cluster belongs to. */
  cluster: "oneoff:cluster",
  /** Id of the run that a cluster is for. */
  run: "oneoff:run",
  /** "retain" on a lake that stays when its stack is destroyed. */
  removal: "oneoff:removal",
} as const;
