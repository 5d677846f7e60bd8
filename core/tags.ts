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
  /** Name of the component that a cluster belongs to. */
  cluster: "oneoff:cluster",
  /** Id of the run that a cluster is for. */
  run: "oneoff:run",
  /** "retain" on a lake that stays when its stack is destroyed. */
  removal: "oneoff:removal",
} as const;
