/** Label of everything that a stack has in Docker. */
export const LABEL = "oneoff.stack";

/** Its value, with which the names of all that a stack has in Docker begin too: a Swarm has one space of names for all. */
export const dockerName = (project: string, stack: string): string =>
  `${project}-${stack}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
