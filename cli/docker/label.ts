/** On everything that a stack has in Docker. */
export const LABEL = "oneoff.stack";

/** Its value, which begins the names of all that a stack has in Docker too: as in components/cluster/swarm-args.ts. */
export const labelOf = ({ project, stack }: { readonly project: string; readonly stack: string }): string =>
  `${project}-${stack}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

/** For commands of docker that list things. */
export const labelled = (label: string): readonly string[] => ["--filter", `label=${LABEL}=${label}`];
